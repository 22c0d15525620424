"""The limit: two bytes for an answer, by a bare WSGI callable and by a bare Flask route.

`python -m benchmarks.bare PORT` has the callable served by waitress as we run it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server

flask = Flask(__name__)


@flask.get("/")
def ok() -> str:
    """Answer two bytes."""
    return "ok"


def wsgi(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer two bytes."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


if __name__ == "__main__":
    address = Address("127.0.0.1", int(sys.argv[1]))
    Server(wsgi, bind(address), threads=1, may_wait=lambda _path: False).run()
