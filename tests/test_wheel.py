"""The wheel: what is in it, and that it runs with the source folder out of sight."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sysconfig
import urllib.request
import venv
import zipfile
from pathlib import Path
from typing import Final

from kataven_flask.assets import static_dir
from kataven_flask.widget import packed_file
from tests.archives import Built
from tests.running import running
from tests.support import AUDIENCE, ISSUER
from tests.verify.key_server import GOOD, OURS, jwks
from tests.verify.sign_in import USER


def test_it_carries_the_static_files_and_nothing_foreign(built: Built) -> None:
    """The widget, its types, the demo, the example and the scripts are in; tests are not."""
    names = built.wheel_names()
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


CONNECT: Final = """
import importlib.util, json, sys
from kataven_flask.verify import SessionVerifier, aio, asgi, wsgi

url, issuer, audience, keys, token = sys.argv[1:]
verifier = SessionVerifier(url, issuer, audience, keys=json.loads(keys), clock=lambda: 1790000000)
print(aio.__file__)
print(verifier.verify(token).visitor_id)
for name in ("flask", "pydantic", "yaml", "waitress", "click", "itsdangerous"):
    assert importlib.util.find_spec(name) is None, name
"""


def test_a_session_is_verified_where_there_is_pyjwt_alone(built: Built, tmp_path: Path) -> None:
    """A `/connect` service installs PyJWT[crypto] and the wheel, and nothing of the server's."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    purelib = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    for name in ("pyjwt", "cryptography", "cffi", "pycparser"):
        link_installed(name, purelib)
    zipfile.ZipFile(built.wheel).extractall(purelib)
    arguments = ("https://widget.example.com/jwks.json", ISSUER, AUDIENCE)
    ran = subprocess.run(
        [home / "bin" / "python", "-c", CONNECT, *arguments, json.dumps(jwks(OURS)), GOOD],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    where, visitor = ran.stdout.splitlines()
    assert where.startswith(str(home))
    assert visitor == USER.sub


def link_installed(name: str, purelib: Path) -> None:
    """Have another environment find a library of this one; some need fewer."""
    try:
        files = importlib.metadata.files(name) or []
    except importlib.metadata.PackageNotFoundError:
        return
    for top in {file.parts[0] for file in files if not file.parts[0].startswith("..")}:
        (purelib / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)


def test_the_demo_runs_from_the_wheel(built: Built, tmp_path: Path) -> None:
    """In an environment that has the wheel and not this checkout, the demo answers."""
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    purelib = sysconfig.get_path("purelib", vars={"base": str(home)})
    zipfile.ZipFile(built.wheel).extractall(purelib)
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
        api = started.wait_for(r"sign-in API +(http://localhost:\d+)")[1]
        shop = started.wait_for(r"Open (http://localhost:\d+) instead")[1]
        with urllib.request.urlopen(f"{api}/readyz") as response:  # noqa: S310 - our own demo
            assert json.load(response)["status"] == "ready"
        with urllib.request.urlopen(f"{api}/widget/v1.js") as response:  # noqa: S310
            assert b"Kataven" in response.read()
        with urllib.request.urlopen(shop) as response:  # noqa: S310
            assert b"Acme Coffee" in response.read()
        assert started.end() == 0
