"""The part of `Kataven` that has to do with what happens: time, faults, and the requests seen."""

from __future__ import annotations

from typing import Final

from kataven_flask.testing.clock import Clock
from kataven_flask.testing.faults import Fault
from kataven_flask.testing.seen import SeenRequest, fitting, listed
from kataven_flask.testing.server import OnServer
from kataven_flask.testing.tenants import Tenant

PATIENCE: Final = 5.0
"""Seconds that a request is waited for."""


class Happenings(OnServer):
    """Moves the clock, breaks things, and tells what was asked."""

    @property
    def clock(self) -> Clock:
        """The server's clock: `kataven.clock.advance("15m")`."""
        return self._server.clock

    def fail(
        self,
        name: str,
        *,
        path: str | None = None,
        times: int | None = None,
        seconds: float | None = None,
    ) -> Fault:
        """Have something go wrong, from now until the `with` block, or else the test, ends.

        Args:
            name: What: `state` (503 where a token is spent or renewed), `rate limit` (429),
                `crash` (500), `config` (500 for the widget's looks alone), `jwks` (500 for the
                public keys alone), `network` (closed without an answer), `slow`.
            path: The one path that it happens on, or how that ends, such as `auth/refresh`;
                None for all.
            times: How many requests it hits before it is over; None for any number. A preflight
                isn't hit. A client may repeat by itself what was closed without an answer.
            seconds: How much later `slow` answers (2), or after how long to try again with
                `rate limit` (60).

        Raises:
            ValueError: There is no such fault; the message has those that there are.

        Returns:
            The fault, which `with` ends, and so does its `end()`.
        """
        return self._server.faults.begin(name, path, times, seconds)

    def restore(self) -> None:
        """End all that goes wrong; whoever is kept waiting is answered."""
        self._server.faults.end()

    # --- what it was asked

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The requests so far, in the order of their answers, preflights among them."""
        return self._server.seen.all()

    def forget_requests(self) -> None:
        """Begin `requests` anew."""
        self._server.seen.forget()

    def wait_for(  # noqa: PLR0913 - what it may be told by
        self,
        path: str | None = None,
        *,
        method: str | None = None,
        origin: str | None = None,
        status: int | None = None,
        code: str | None = None,
        tenant: Tenant | str | None = None,
        count: int = 1,
        timeout: float = PATIENCE,
    ) -> SeenRequest:
        """Wait until a request has been answered; one that is there already will do.

        It keeps its thread waiting: in a coroutine, `await asyncio.to_thread(kataven.wait_for, …)`.

        Args:
            path: Its path, or how that ends, such as `auth/refresh`.
            method: Its method; a preflight is meant only where this is `OPTIONS`.
            origin: The page's origin.
            status: The answer's status.
            code: The refusal's code.
            tenant: The tenant whose key it named, or the tenant's id.
            count: Which of those that fit: 2 for the second one.
            timeout: Seconds to wait.

        Raises:
            TimeoutError: It didn't come; the message has the requests that did.

        Returns:
            The request.
        """
        wanted = {
            "origin": origin,
            "status": status,
            "code": code,
            "tenant": tenant.id if isinstance(tenant, Tenant) else tenant,
        }
        fits = fitting(path, method, **wanted)
        found = self._server.seen.wait_for(fits, count, timeout)
        if found is None:
            asked = {"path": path, "method": method, **wanted}
            said = ", ".join(f"{n}={v!r}" for n, v in asked.items() if v is not None)
            which = "no request" if count == 1 else f"fewer than {count} requests"
            seen = listed(self.requests)
            raise TimeoutError(f"{which} ({said}) in {timeout} s; there were:\n{seen}")
        return found
