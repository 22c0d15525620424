"""Many clients who refresh without a pause while pages ask for a config."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final

from tests.faults.client import DOWN, OK, Answer
from tests.faults.promises import PROMISED, assert_the_rest_goes_on, await_recovery
from tests.faults.serving import Served

CLIENTS: Final = 16
"""That refresh; four times as many as a server has threads."""
PAGES: Final = 50
"""That ask for a config, all at once."""


def assert_pages_dont_wait(
    server: Served, fault: Callable[[], AbstractContextManager[object]]
) -> None:
    """Hold that under a fault which keeps the store from answering, everybody is still answered.

    Args:
        server: The server.
        fault: Keeps the store from answering for as long as its block lasts.
    """
    with ThreadPoolExecutor(CLIENTS + PAGES) as pool:
        tokens = list(pool.map(lambda _: new_session(server), range(CLIENTS)))
        with fault():
            enough = threading.Event()
            hammering = [pool.submit(_hammer, server, token, enough) for token in tokens]
            began = time.monotonic()
            configs = list(pool.map(lambda _: _config(server), range(PAGES)))
            took = time.monotonic() - began
            with server.client() as client:
                assert_the_rest_goes_on(client)
            enough.set()
            refused = [answer for each in hammering for answer in each.result()]
        assert {answer.kind for answer in configs} == {OK}
        assert took < PROMISED
        assert {answer.kind for answer in refused} == {DOWN}
        assert max(answer.seconds for answer in refused) < PROMISED
        with server.client() as client:
            await_recovery(client)
        answers = pool.map(lambda token: refreshed(server, token), tokens)
        assert {answer.kind for answer in answers} == {OK}


def new_session(server: Served) -> str:
    """Sign a user in; return the refresh token."""
    with server.client() as client:
        return client.session()


def refreshed(server: Served, token: str) -> Answer:
    """Present a refresh token."""
    with server.client() as client:
        return client.refresh(token)


def _config(server: Served) -> Answer:
    with server.client() as client:
        return client.config()


def _hammer(server: Served, token: str, enough: threading.Event) -> list[Answer]:
    answers = []
    with server.client() as client:
        while not enough.is_set():
            answers.append(client.refresh(token))
    return answers
