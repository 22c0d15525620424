"""A server that loads the app and then forks, as gunicorn with `preload`."""

from __future__ import annotations

import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler
from typing import Final

import pytest

from tests.running import wait_until
from tests.support import AUDIENCE, ISSUER, NOON
from tests.verify.key_server import GOOD, OURS, KeyServer, jwks, send_json

PROGRAM: Final = """
import asyncio, os, sys, threading, warnings
from kataven_flask.verify import SessionVerifier
from kataven_flask.verify.aio import AsyncSessionVerifier

how, url, issuer, audience, noon, token = sys.argv[1:]
verifier = SessionVerifier(url, issuer, audience, clock=lambda: float(noon))
loops = AsyncSessionVerifier(verifier)

def verify():
    return asyncio.run(loops.verify(token)) if how == "loop" else verifier.verify(token)

threading.Thread(target=verify, daemon=True).start()
sys.stdin.readline()  # the thread is amid its fetch
warnings.simplefilter("ignore", DeprecationWarning)  # which says that this is a bad moment
child = os.fork()
if child == 0:
    print(verify().visitor_id, flush=True)
    os._exit(0)
os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("how", ["thread", "loop"])
def test_a_fork_amid_a_fetch(keys: KeyServer, how: str) -> None:
    """The child fetches the keys itself, and waits for no thread that only its parent has."""
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        if keys.fetches == 1:
            over.wait(10)
        send_json(jwks(OURS))(request)

    keys.answer = answer
    command = [sys.executable, "-c", PROGRAM, how, keys.url, ISSUER, AUDIENCE, str(NOON), GOOD]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            wait_until(lambda: keys.fetches == 1, "the parent asks")
            said, _ = program.communicate("\n", timeout=3)
        finally:
            over.set()
            program.kill()
    assert (said, program.returncode) == ("42\n", 0)
