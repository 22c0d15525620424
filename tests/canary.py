"""A canary: it knows what must stay secret, hears all that is said, and cries where it is said.

Every test has one. It is told each token, secret key and person that goes in or out of a server,
and hears log records, errors, metrics and reprs. `conftest.py` fails a test in which it cries.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kataven_flask.assets import static_dir
from kataven_flask.handshake import Handshake
from kataven_flask.openapi.examples import EXAMPLES_FILE
from kataven_flask.registry import Registry
from kataven_flask.tokens import Tokens

TOKENS: Final = frozenset({"token", "user_token", "guest_token", "refresh_token"})
PERSONAL: Final = frozenset({"user_id", "external_user_id", "name", "display_name", "email", "id"})
MIN_LENGTH: Final = 8
"""Characters: a shorter text may stand anywhere by chance."""
PUBLIC: Final = re.compile(
    r"(?:pk_(?:live|test)|ses|req|guest)_[A-Za-z0-9_-]*|https?://\S*|acme\S*"
)
"""What may be told, wherever a test has sent it."""
SHAPES: Final = {
    "a token": re.compile(r"eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    "a secret key": re.compile(r"sk_(?:live|test)_[a-z0-9-]+_[A-Za-z0-9]{22,}"),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY"),
}
"""What is secret by its look, whoever made it."""
USER_ID: Final = "user-7f3a9c42"
"""Who signs in where a test doesn't say who: nobody that a log would name by chance."""


class Canary:
    """What must stay secret in one test, and what was said."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {USER_ID: "user_id"}
        self._said: dict[str, str] = {}

    def note(self, text: object, what: str) -> None:
        """Remember something that nobody may say."""
        if not isinstance(text, str) or PUBLIC.fullmatch(text):
            return
        parts = text.split(".")[-2:] if what in TOKENS else []
        for part in (text, *parts):
            if len(part.strip()) >= MIN_LENGTH:
                self._secrets[part] = what

    def hear(self, text: str, where: str) -> None:
        """Listen to what is said somewhere."""
        self._said[text] = where

    def cries(self) -> list[str]:
        """Tell each secret that was said, and where; then forget all."""
        said, secrets = self._said, self._secrets
        self._said, self._secrets = {}, {USER_ID: "user_id"}
        all_that_was_said = "\0".join(
            said
        )  # nearly always there is nothing in it, which is told fast
        secrets = {secret: what for secret, what in secrets.items() if secret in all_that_was_said}
        found = []
        for text, where in said.items():
            found += [
                f"{what} in {where}: {text}" for secret, what in secrets.items() if secret in text
            ]
            found += [f"{what} in {where}: {text}" for what, s in SHAPES.items() if s.search(text)]
        return found


CANARY: Final = Canary()
"""The one of the test that runs."""


# --- what goes in and out of a server


class HeardClient(FlaskClient):
    """A client of an app, which tells the canary of what it sends and gets."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        """Send a request."""
        response: TestResponse = super().open(*args, **kwargs)
        sent = response.request
        _note_credentials(sent.headers.get("Authorization", ""))
        for name, text in parse_qsl(sent.query_string.decode(errors="replace")):
            _note_member(name, text)
        _note_members(_json(_sent_body(sent.environ)))
        hear_answer(response.status_code, dict(response.headers), response.get_data())
        return response


def hear_answer(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Take an answer's tokens as secrets where it grants some; all else may have none in it."""
    document = _json(body)
    if status == 200 and isinstance(document, dict) and TOKENS & set(document):
        _note_members(document)
    else:
        text = body.decode(errors="replace")
        for token in _published():
            text = text.replace(token, "")
        CANARY.hear(text, f"an answer of status {status}")
    CANARY.hear(repr(headers), "an answer's headers")


@cache
def _published() -> list[str]:
    """Return the tokens of the description's examples: signed by keys that anybody knows."""
    return SHAPES["a token"].findall((static_dir() / EXAMPLES_FILE).read_text())


def _sent_body(environ: Mapping[str, Any]) -> bytes:
    stream = environ.get("wsgi.input")
    try:
        stream.seek(0)  # type: ignore[union-attr]  # anything else is caught
        body = stream.read()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return b""
    return body if isinstance(body, bytes) else b""


def _note_credentials(authorization: str) -> None:
    CANARY.note(authorization.partition(" ")[2].strip(), "a secret key")


def _note_members(document: object) -> None:
    """Note a body's members, and those of what is in it."""
    if isinstance(document, dict):
        for name, value in document.items():
            _note_member(name, value)
            _note_members(value)


def _note_member(name: str, value: object) -> None:
    if name in TOKENS | PERSONAL:
        CANARY.note(value, name)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


# --- what is said


class _Listener(logging.Handler):
    """Hears every record as any formatter could write it."""

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter().format(record)
        CANARY.hear(f"{text}\n{record.args!r}", f"the log of {record.name}")


@contextlib.contextmanager
def heard_log() -> Iterator[None]:
    """Hear what is logged within the block, from DEBUG on."""
    listener = _Listener()
    root, ours = logging.getLogger(), logging.getLogger("kataven_flask")
    root.addHandler(listener)
    before = ours.level
    ours.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(listener)
        ours.setLevel(before)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Fail where something secret is said within the block."""
    with heard_log():
        yield
    cries = CANARY.cries()
    assert not cries, "\n".join(cries)


def hear_output(arguments: Sequence[str], output: str) -> None:
    """Listen to what a command has printed, where it was a server."""
    if "serve" in arguments or "kataven_flask.wsgi:app" in arguments:
        for line in output.splitlines():
            CANARY.hear(line, f"what {Path(arguments[0]).name} has printed")


def hear_reprs() -> None:
    """Have all that goes in and out of the core shown as a debugger would show it, and heard."""
    for cls in (Handshake, Tokens):
        for name, function in list(vars(cls).items()):
            if callable(function) and not name.startswith("_"):
                setattr(cls, name, _heard(function))


def _heard(function: Callable[..., Any]) -> Callable[..., Any]:
    where = f"the repr of what {function.__qualname__} has"

    @wraps(function)
    def heard(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            CANARY.hear(f"{error!r} {error}", where)
            raise
        for each in (*args[1:], *kwargs.values(), result):
            if hasattr(each, "__dataclass_fields__"):
                CANARY.hear(_shown(each), where)
        return result

    return heard


def _shown(value: Any) -> str:
    """Return an object's repr; of one that has the whole registry, that of its other fields."""
    fields = [getattr(value, name) for name in value.__dataclass_fields__]
    if any(isinstance(field, Registry) for field in fields):
        return " ".join(repr(field) for field in fields if not isinstance(field, Registry))
    return repr(value)
