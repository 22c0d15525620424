"""What a `/connect` service has to install: PyJWT[crypto], and nothing of the server's."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

from tests.support import AUDIENCE, ISSUER
from tests.verify.sign_in import SignIn

WITHOUT_LIBRARIES = dedent(
    """
    import sys

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in sys.argv[5].split():
                raise ModuleNotFoundError(name, name=name)

    sys.meta_path.insert(0, Blocked())

    from kataven_flask.verify import InvalidSession, SessionVerifier

    verifier = SessionVerifier(*sys.argv[1:4])
    print(verifier.verify(sys.argv[4]).visitor_id)
    try:
        verifier.verify(sys.argv[4] + "x")
    except InvalidSession:
        print("refused")
    """
)


OF_THE_SERVER = (
    "flask flask_cors werkzeug jinja2 waitress click pydantic yaml itsdangerous limits idna"
    " publicsuffixlist redis confusable_homoglyphs prometheus_client"
)


def run_without(libraries: str, sign_in: SignIn) -> subprocess.CompletedProcess[str]:
    """Verify a live token and a broken one in a process that finds no such libraries."""
    arguments = [sign_in.jwks_url, ISSUER, AUDIENCE, sign_in.mint(), libraries]
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_LIBRARIES, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_needs_pyjwt_alone(sign_in: SignIn) -> None:
    """A `/connect` service verifies where Flask and all the server's libraries are absent."""
    ran = run_without(OF_THE_SERVER, sign_in)
    assert (ran.stdout.split(), ran.stderr) == (["42", "refused"], "")


def test_says_at_its_start_what_is_not_installed(sign_in: SignIn) -> None:
    """Without cryptography the service doesn't start, so that no visitor is taken for a bad one."""
    ran = run_without("cryptography", sign_in)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "ImportError: " in ran.stderr
    assert "pip install 'pyjwt[crypto]'" in ran.stderr
