"""Fixtures that every test may ask for."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kataven_flask.assets import example_config
from tests.archives import ROOT, Built, build
from tests.canary import hear_reprs, silence
from tests.desk import Desk
from tests.redis_server import running_redis
from tests.support import FrozenClock, Service

hear_reprs()


@pytest.fixture(autouse=True)
def nothing_left_open_or_said() -> Iterator[None]:
    """Close what a test has opened; fail it where a token, a secret key or a person was said."""
    with silence():
        yield
        while Service.opened:
            Service.opened.pop().close()


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands still."""
    return FrozenClock()


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """Return a server in this process."""
    return Service(tmp_path)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Return a desk with a copy of the shipped file."""
    return Desk(Path(shutil.copy(example_config(), tmp_path / "tenants.yaml")))


@pytest.fixture(scope="session")
def tracked() -> set[str]:
    """Return the files that git has of this checkout."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - wherever it is
        cwd=Path(__file__).parents[1],
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("this isn't a git checkout")
    return set(listed.stdout.splitlines())


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Return both archives of this checkout."""
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(params=["sqlite", "redis"])
def shared_state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a fresh state store of each kind that servers can share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/state.db"
        return
    with running_redis(tmp_path / "redis") as redis:
        yield redis.url
