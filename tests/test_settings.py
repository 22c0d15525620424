"""What the operator sets by the environment, as `flask run` and a WSGI server read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kataven_flask.errors import ConfigurationError
from kataven_flask.settings import Settings
from kataven_flask.variables import SERVER


def test_nothing_set() -> None:
    """Without any variable there is a default for each."""
    settings = Settings.from_environ({})
    assert settings == Settings()
    assert settings.state_url == "sqlite:///instance/state.db"
    assert settings.watch


def test_all_set() -> None:
    """Each variable is read."""
    environ = {
        "KATAVEN_CONFIG": "/etc/kataven",
        "KATAVEN_INSTANCE": "/var/lib/kataven",
        "KATAVEN_STATE": "memory:",
        "KATAVEN_ISSUER": "https://widget.example.com/",
        "KATAVEN_SIGNING_ALG": "EdDSA",
    }
    settings = Settings.from_environ(environ)
    assert settings.config == Path("/etc/kataven")
    assert settings.instance == Path("/var/lib/kataven")
    assert settings.state_url == "memory:"
    assert settings.issuer == "https://widget.example.com"
    assert settings.signing_alg == "EdDSA"


@pytest.mark.parametrize("name", sorted(SERVER))
def test_an_empty_variable_counts_as_not_set(name: str) -> None:
    """What a file of settings leaves empty has its default; no key is made in this very folder."""
    assert Settings.from_environ({name: ""}) == Settings()


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"KATAVEN_SIGNING_ALG": "HS256"}, "write ES256 or EdDSA"),
        ({"KATAVEN_ISSUER": "widget.example.com"}, "not an https:// URL"),
        ({"KATAVEN_ISSUER": "http://widget.example.com"}, "not an https:// URL"),
        ({"KATAVEN_ISSUER": "https://widget.example.com/?x"}, "no query"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_used(environ: dict[str, str], words: str) -> None:
    """A value that can't be used is refused with what to write."""
    with pytest.raises(ConfigurationError, match=words):
        Settings.from_environ(environ)
