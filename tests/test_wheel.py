"""The wheel: what is in it, and that it runs with the source folder out of sight."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from kataven_flask.assets import static_dir
from kataven_flask.widget import packed_file
from tests.running import running

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_it_carries_the_static_files_and_nothing_foreign(wheel: Path) -> None:
    """The widget, its types, the demo, the example and the scripts are in; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "kataven_flask/py.typed",
        "kataven_flask/config/tenants.schema.json",
        "kataven_flask/config/tenants.yaml",
        "kataven_flask/store/lua/rotate.lua",
        "kataven_flask/static/widget/page.js",
        f"kataven_flask/static/widget/{packed_file(static_dir() / 'widget').name}",
        "kataven_flask/static/widget/style.css",
        "kataven_flask/static/widget/v1.d.ts",
        "kataven_flask/static/demo/shop.html",
    } <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"kataven_flask", "kataven_flask-0.1.0.dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_demo_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """In an environment that has the wheel and not this checkout, the demo answers."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    purelib = sysconfig.get_path("purelib", vars={"base": str(home)})
    zipfile.ZipFile(wheel).extractall(purelib)
    # The dependencies of this environment, without its link to the checkout.
    libraries = {"PYTHONPATH": sysconfig.get_path("purelib")}
    where = subprocess.run(
        [python, "-c", "import kataven_flask; print(kataven_flask.__file__)"],
        cwd=tmp_path,
        env=libraries,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.startswith(str(home))
    demo = (str(python), "-c", "from kataven_flask.cli import main; main()", "demo", "--port", "0")
    with running(*demo, cwd=tmp_path, **libraries) as started:
        api = started.wait_for(r"sign-in API (http://localhost:\d+)")[1]
        shop = started.wait_for(r"Open (http://localhost:\d+) instead")[1]
        with urllib.request.urlopen(f"{api}/readyz") as response:  # noqa: S310 - our own demo
            assert json.load(response)["status"] == "ready"
        with urllib.request.urlopen(f"{api}/widget/v1.js") as response:  # noqa: S310
            assert b"Kataven" in response.read()
        with urllib.request.urlopen(shop) as response:  # noqa: S310
            assert b"Acme Coffee" in response.read()
        assert started.end() == 0
