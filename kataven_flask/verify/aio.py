"""Session tokens verified on an event loop, which doesn't stand still while keys are fetched."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from kataven_flask.verify.key_cache import BOUND
from kataven_flask.verify.refusals import KeysUnavailableError
from kataven_flask.verify.session import Session
from kataven_flask.verify.verifier import SessionVerifier


class AsyncSessionVerifier:
    """Verifies on an event loop.

    Nearly always the keys are there, and it is done at once. Where they have to be fetched, a
    thread of its own does that, so that nobody else's work waits in the loop's threads.

    Args:
        verifier: What verifies.
    """

    def __init__(self, verifier: SessionVerifier) -> None:
        self._verifier = verifier
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(1, "kataven-verify")

    async def verify(self, unverified_jwt: str) -> Session:
        """Verify a session token.

        Args:
            unverified_jwt: The bearer token of the request.

        Raises:
            InvalidSession: It is anything else than a live session token.
            KeysUnavailableError: The public keys can't be had.

        Returns:
            The session.
        """
        session = self._verifier.verify_at_once(unverified_jwt)
        if session is not None:
            return session
        if self._process != os.getpid():  # forked, and its thread is the parent's
            self._begin()
        loop = asyncio.get_running_loop()
        found = loop.run_in_executor(self._thread, self._verifier.verify, unverified_jwt)
        try:
            return await asyncio.wait_for(found, BOUND)
        except TimeoutError:
            raise KeysUnavailableError("the sign-in service's keys are being fetched") from None

    def seconds_left(self, session: Session) -> float:
        """Tell how long a session's token goes on to be taken, in seconds."""
        return self._verifier.seconds_left(session)
