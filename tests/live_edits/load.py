"""Clients that ask without a pause, in processes of their own, so that they disturb no editor."""

from __future__ import annotations

import base64
import http.client
import json
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.live_edits.world import QUESTIONS, Answer, Asked, Question
from tests.running import BOUND, wait_until
from tests.support import API, SECRET

PROCESSES: Final = 2
THREADS: Final = 3
"""In each process, with a connection each."""
_KEPT: Final = 16
"""Questions on one connection; the next may be with another worker."""


class Load:
    """What the clients were told; complete after the block of `asking`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []


@contextmanager
def asking(port: int, stop: Path) -> Iterator[Load]:
    """Have clients ask for as long as the block lasts.

    Args:
        port: Where the server listens.
        stop: A path that doesn't exist; it's made to end them.

    Yields:
        What they were told, once the block has ended.
    """
    load = Load()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as pool:
        futures: list[Future[list[Asked]]] = []
        try:
            futures += [pool.submit(_ask_from_process, port, stop, i) for i in range(PROCESSES)]
            wait_until(lambda: _begun(stop) == PROCESSES * THREADS, "all clients ask", 2 * BOUND)
            yield load
        finally:
            stop.touch()
        for future in futures:
            load.asked += future.result(BOUND)


def _begun(stop: Path) -> int:
    """Count the clients that have had an answer."""
    return len(list(stop.parent.glob(f"{stop.name}.begun-*")))


def _ask_from_process(port: int, stop: Path, offset: int) -> list[Asked]:
    with ThreadPoolExecutor(THREADS) as pool:
        starts = [offset + PROCESSES * thread for thread in range(THREADS)]
        return [a for each in pool.map(lambda i: _ask(port, stop, i), starts) for a in each]


def _ask(port: int, stop: Path, index: int) -> list[Asked]:
    asked: list[Asked] = []
    begun = stop.with_name(f"{stop.name}.begun-{index}")
    while not stop.exists():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)) as connection:
            for _ in range(_KEPT):
                index = (index + 1) % len(QUESTIONS)
                asked.append(_ask_one(connection, QUESTIONS[index]))
        begun.touch()
    return asked


def _ask_one(connection: http.client.HTTPConnection, question: Question) -> Asked:
    sent = time.monotonic()
    try:
        _send(connection, question)
        response = connection.getresponse()
        body = response.read()
        answer = _read(question, response.status, response.headers["X-Error-Code"], body)
    except (OSError, http.client.HTTPException, LookupError, ValueError) as error:
        answer = (0, repr(error))
    return Asked(question, sent, time.monotonic(), answer)


def _send(connection: http.client.HTTPConnection, question: Question) -> None:
    headers = {"Origin": question.origin} if question.origin else {}
    if question.action == "config":
        path = f"{API}/config?client_key={question.client_key}"
        connection.request("GET", path, headers=headers)
        return
    body = {"client_key": question.client_key}
    if question.action == "user-token":
        headers["Authorization"] = f"Bearer {SECRET}"
        body["user_id"] = "user-7f3a9c42"
    path = f"{API}/auth/{question.action}"
    connection.request("POST", path, json.dumps(body), headers)


def _read(question: Question, status: int, code: str | None, body: bytes) -> Answer:
    if status != 200:
        return status, code or ""
    content = json.loads(body)
    if question.action == "config":
        agent = content["agent"]
        label = content["branding"]["launcher_label"]
        return status, content["tenant"]["name"], label, agent["display_name"], agent["greeting"]
    claims = _claims(content["token"])
    ttl = content["expires_in"]
    if claims["exp"] - claims["iat"] != ttl:
        return 0, f"{claims} expires in {ttl}?"
    if question.action == "guest":
        return status, claims["iss"], claims["aud"], ttl
    return status, claims["iss"], ttl


def _claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
