"""Whatever strangers send, it takes no long time and leaves little behind."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path
from typing import Final

import pytest

import kataven_flask
from kataven_flask.app import parts_of
from kataven_flask.event_windows import MAX_APART
from kataven_flask.security_events import Event
from tests.api.wire import no_limits, send
from tests.support import (
    API,
    KEY,
    Service,
)

LONG: Final = 30_000
"""Characters; waitress lets no more than 32 KiB of headers in."""
RUNS: Final = {
    "blanks": " " * LONG + "x",
    "tabs": "\t" * LONG + "x",
    "commas": "," * LONG,
    "commas and blanks": ", " * (LONG // 2) + "x",
    "semicolons": ";" * LONG,
    "parameters": ";a=" * (LONG // 3),
    "starred parameters": ";a*0=" * (LONG // 5),
    "quotes": '"' * LONG,
    "half quotes": 'a"' * (LONG // 2),
    "escapes": '"\\' * (LONG // 2),
    "weak marks": "W/" * (LONG // 2),
    "tags": '"a",' * (LONG // 4),
    "qualities": "a;q=1," * (LONG // 6),
    "digits": "9" * LONG,
    "brackets": "[" * LONG,
    "schemes": "https://" * (LONG // 8),
    "labels": "a-" * (LONG // 2),
    "percents": "%" * LONG,
}
READ: Final = (
    "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_AUTHORIZATION", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING",
    "HTTP_IF_NONE_MATCH", "HTTP_X_REQUEST_ID", "HTTP_HOST", "HTTP_COOKIE", "HTTP_RANGE",
    "HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "CONTENT_TYPE", "QUERY_STRING",
)  # fmt: skip


# --- time


@pytest.mark.parametrize("name", READ)
def test_no_header_takes_long(service: Service, name: str) -> None:
    """No header is read by going back and forth, however long and whatever is repeated in it."""
    no_limits(service)
    for what, run in RUNS.items():
        began = time.process_time()
        environ = {name: run}
        for path in ("/widget/v1.js", f"{API}/config", "/nothing"):
            service.client.get(path, environ_overrides=environ, buffered=True)
        service.client.options(f"{API}/auth/guest", environ_overrides=environ)
        service.client.post(f"{API}/auth/user-token", data=b"{}", environ_overrides=environ)
        assert time.process_time() - began < 0.5, what


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 16_384,
        b'{"a":' * 3276,
        b"[]," * 5461,
        b'{"client_key": ' + b"9" * 16_000 + b"}",
        b'{"client_key": 1e' + b"9" * 16_000 + b"}",
        b'"' + b"\\u0000" * 2700 + b'"',
        json.dumps({f"k{n}": n for n in range(1200)}).encode(),
        b" " * 16_384,
    ],
    ids=["lists", "objects", "commas", "digits", "power", "escapes", "members", "blanks"],
)
def test_no_body_takes_long(service: Service, raw: bytes) -> None:
    """A body that is as large as may be, and nested as deep, is refused at once."""
    began = time.process_time()
    answer = send(service, "guest", raw)
    assert time.process_time() - began < 0.5
    assert answer.status_code == 400


# --- memory


def test_strangers_fill_no_memory(service: Service) -> None:
    """Thousands of origins, keys, agents and paths leave a bounded number of entries behind."""
    no_limits(service)
    for n in range(1500):
        service.config(origin=f"https://x{n}.example")
        service.config(client_key=f"{KEY}{n}", agent_id=f"a{n}")
        service.client.get(f"{API}/x{n}")
    tallies = parts_of(service.app).events._tally._tallies  # noqa: SLF001 - nobody else asks
    kept = tallies[Event.ORIGIN_REFUSED]._windows  # noqa: SLF001
    assert len(kept) == MAX_APART + 1
    assert {client_key for client_key, _ in kept} == {KEY}


OF_OUR_OWN_NAMES: Final = {"openapi/written.py"}
"""What is remembered there is asked for by names that stand in the code."""


def test_no_cache_grows_with_what_strangers_send() -> None:
    """Every function that remembers its answers forgets some, or has no arguments to tell apart."""
    found = 0
    for file in Path(kataven_flask.__file__).parent.rglob("*.py"):
        for each in ast.walk(ast.parse(file.read_text())):
            if not isinstance(each, ast.FunctionDef):
                continue
            decorators = {ast.unparse(decorator) for decorator in each.decorator_list}
            found += any("cache" in decorator for decorator in decorators)
            if decorators & {"cache", "functools.cache", "lru_cache(maxsize=None)"}:
                is_ours = f"{file.parent.name}/{file.name}" in OF_OUR_OWN_NAMES
                assert is_ours or not each.args.args, f"{file.name}: {each.name}"
    assert found
