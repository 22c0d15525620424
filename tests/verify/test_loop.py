"""On an event loop: nobody's turn is lost while keys are fetched; WebSockets begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from kataven_flask.verify import (
    CLOCK_SKEW,
    InvalidSession,
    KeysUnavailableError,
    SessionVerifier,
    aio,
    asgi,
)
from kataven_flask.verify.aio import AsyncSessionVerifier
from kataven_flask.verify.key_cache import RENEWED
from tests.running import BOUND
from tests.support import ORIGIN, FrozenClock
from tests.verify.key_server import GOOD, NEXT, KeyServer, minted
from tests.verify.sign_in import USER


async def until_asked(keys: KeyServer, count: int) -> None:
    """Give the loop its turns until so many have asked for keys."""
    async with asyncio.timeout(BOUND):
        while keys.fetches < count:  # noqa: ASYNC110 - a thread counts them
            await asyncio.sleep(0.001)


def test_the_loop_goes_on_while_keys_are_fetched(
    keys: KeyServer, verifier: SessionVerifier, clock: FrozenClock
) -> None:
    """Fifty tokens wait for one fetch, and the loop for none; a renewal keeps one of them alone."""

    async def visit() -> None:
        ours = AsyncSessionVerifier(verifier)
        keys.open.clear()
        waiting = [asyncio.create_task(ours.verify(GOOD)) for _ in range(50)]
        await until_asked(keys, 1)
        keys.open.set()
        assert {each.visitor_id for each in await asyncio.gather(*waiting)} == {USER.sub}

        clock.move(RENEWED)
        keys.open.clear()
        renewing = asyncio.create_task(ours.verify(GOOD))
        await until_asked(keys, 2)
        for _ in range(20):
            assert (await ours.verify(GOOD)).visitor_id == USER.sub
        assert not renewing.done()
        keys.open.set()
        assert (await renewing).visitor_id == USER.sub

    asyncio.run(visit())
    assert keys.fetches == 2


def test_a_bad_token_on_the_loop(keys: KeyServer, verifier: SessionVerifier) -> None:
    """A refusal is the same there, whether keys had to be fetched for it or not."""

    async def visit() -> None:
        ours = AsyncSessionVerifier(verifier)
        for _ in range(2):
            with pytest.raises(InvalidSession):
                await ours.verify(minted(NEXT))

    asyncio.run(visit())
    assert keys.fetches == 1


def test_a_fetch_that_never_ends(
    keys: KeyServer, verifier: SessionVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, as where the look-up of a name hangs: they are told to try again."""
    monkeypatch.setattr(aio, "BOUND", 0.05)
    keys.open.clear()

    async def visit() -> None:
        ours = AsyncSessionVerifier(verifier)
        async with asyncio.timeout(2):
            answers = await asyncio.gather(
                *(ours.verify(GOOD) for _ in range(3)), return_exceptions=True
            )
        assert {type(each) for each in answers} == {KeysUnavailableError}
        keys.open.set()

    asyncio.run(visit())


def test_a_caller_who_loses_patience(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Who hangs up while keys are fetched takes nobody's turn, nor the keys, away."""

    async def visit() -> None:
        ours = AsyncSessionVerifier(verifier)
        keys.open.clear()
        impatient = [asyncio.create_task(ours.verify(GOOD)) for _ in range(3)]
        await until_asked(keys, 1)
        for each in impatient:
            each.cancel()
        patient = asyncio.create_task(ours.verify(GOOD))
        await asyncio.gather(*impatient, return_exceptions=True)
        keys.open.set()
        assert (await patient).visitor_id == USER.sub

    asyncio.run(visit())
    assert keys.fetches == 1


# --- WebSockets


class Visit:
    """One WebSocket, as a server would tell an app of it.

    Args:
        headers: What the handshake has.
        subprotocols: Which it offers.
    """

    def __init__(
        self, headers: Mapping[str, str] | None = None, subprotocols: Sequence[str] = ()
    ) -> None:
        named = {"Origin": ORIGIN, **(headers or {})}
        if subprotocols:
            named["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "path": "/talk",
            "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
            "subprotocols": list(subprotocols),
        }
        self.sent: list[asgi.Message] = []
        self.told: asyncio.Queue[asgi.Message] = asyncio.Queue()
        self.saw: list[str] = []

    def run(self, verifier: SessionVerifier) -> None:
        """Go through the whole visit, with an app that says whom it sees and then listens."""
        asyncio.run(self._run(verifier))

    async def _run(self, verifier: SessionVerifier) -> None:
        self.told.put_nowait({"type": "websocket.connect"})
        middleware = asgi.SessionMiddleware(self._app, verifier)
        await middleware(self.scope, self.told.get, self._send)

    async def _app(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        self.saw.append(asgi.session_of(scope).visitor_id)
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "hello"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        with pytest.raises(ConnectionError):
            await send({"type": "websocket.send", "text": "too late"})
        await send({"type": "websocket.close"})

    async def always(self) -> asgi.Message:
        """Tell that there is another message, at once."""
        return {"type": "websocket.receive", "text": "and another thing"}

    async def _send(self, message: asgi.Message) -> None:
        self.sent.append(dict(message))
        if message["type"] == "websocket.close":
            self.told.put_nowait({"type": "websocket.disconnect", "code": message["code"]})

    @property
    def types(self) -> list[str]:
        """What was sent, by its kind."""
        return [message["type"].removeprefix("websocket.") for message in self.sent]


ENDED = {"type": "websocket.close", "code": 3000, "reason": "the session token has ended"}


@pytest.fixture
def late(clock: FrozenClock) -> FrozenClock:
    """Let the good token have a moment left, by the server's lenience."""
    clock.move(600 * 60 + CLOCK_SKEW - 0.05)
    return clock


@pytest.mark.parametrize("place", ["header", "subprotocol"])
def test_a_websocket_ends_with_its_token(
    verifier: SessionVerifier, late: FrozenClock, place: str
) -> None:
    """A WebSocket gets in by a header or a subprotocol, and is closed when its token ends."""
    if place == "header":
        visit = Visit({"Authorization": f"Bearer {GOOD}"})
    else:
        visit = Visit(subprotocols=["kataven", f"kataven.token.{GOOD}"])
    visit.run(verifier)
    assert visit.saw == [USER.sub]
    assert visit.types == ["accept", "send", "close"]
    assert visit.sent[-1] == ENDED


def test_the_app_sees_no_token(verifier: SessionVerifier, late: FrozenClock) -> None:
    """The token isn't among the subprotocols that an app may pick, print or log."""
    visit = Visit(subprotocols=["chat.v2", "kataven", f"kataven.token.{GOOD}"])
    visit.run(verifier)
    assert visit.scope["subprotocols"] == ["chat.v2", "kataven"]
    assert (b"sec-websocket-protocol", b"chat.v2, kataven") in visit.scope["headers"]
    assert GOOD not in repr(visit.scope)
    assert visit.sent[0] == {"type": "websocket.accept", "subprotocol": "kataven"}


def test_a_token_alone(verifier: SessionVerifier, late: FrozenClock) -> None:
    """Where nothing but the token is offered, nothing is picked, and least of all the token."""
    visit = Visit(subprotocols=[f"kataven.token.{GOOD}"])
    visit.run(verifier)
    assert visit.sent[0] == {"type": "websocket.accept", "subprotocol": None}
    assert GOOD not in repr(visit.scope)


@pytest.mark.parametrize(
    ("headers", "subprotocols", "why"),
    [
        ({}, [], "send a session token as a bearer token"),
        ({}, ["kataven"], "send a session token as a bearer token"),
        ({}, ["kataven.token."], "what follows Bearer is not one token"),
        ({}, [f"kataven.token.{GOOD}", f"kataven.token.{GOOD}"], "what follows Bearer is not"),
        ({}, [f"kataven.token.{minted(NEXT)}"], "no key of the service signed it"),
        ({"Origin": "https://evil.example"}, [f"kataven.token.{GOOD}"], "for another origin"),
        ({"Origin": "null"}, [f"kataven.token.{GOOD}"], "for another origin"),
        ({"Authorization": "Bearer x"}, [f"kataven.token.{GOOD}"], "not a JWT"),
    ],
    ids=["nothing", "no token", "empty", "two", "foreign", "elsewhere", "null", "header wins"],
)
def test_a_websocket_without_a_session(
    verifier: SessionVerifier, headers: dict[str, str], subprotocols: list[str], why: str
) -> None:
    """It is closed with a code and a reason that a page can read, and the app hears nothing."""
    visit = Visit(headers, subprotocols)
    visit.run(verifier)
    assert (visit.saw, visit.types) == ([], ["accept", "close"])
    assert visit.sent[-1]["code"] == 3000
    assert why in visit.sent[-1]["reason"]
    assert len(visit.sent[-1]["reason"].encode()) <= 123


def test_a_websocket_without_keys(keys: KeyServer, verifier: SessionVerifier) -> None:
    """Where nobody can tell, a page is told to try again later (1013)."""
    keys.fail()
    visit = Visit({"Authorization": f"Bearer {GOOD}"})
    visit.run(verifier)
    assert (visit.saw, visit.sent[-1]["code"]) == ([], 1013)


def test_who_never_stops_talking(verifier: SessionVerifier, late: FrozenClock) -> None:
    """A WebSocket that always has something to say ends with its token as well."""
    visit = Visit({"Authorization": f"Bearer {GOOD}"})
    visit.told.get = visit.always  # type: ignore[method-assign]
    visit.run(verifier)
    assert visit.sent[-1] == ENDED


def test_an_app_that_never_listens(verifier: SessionVerifier, late: FrozenClock) -> None:
    """A WebSocket whose app only sends, or does nothing at all, ends with its token as well."""
    ended = asyncio.Event()

    async def app(_scope: asgi.Scope, _receive: asgi.Receive, send: asgi.Send) -> None:
        await send({"type": "websocket.accept"})
        await ended.wait()

    async def send(message: asgi.Message) -> None:
        if message == ENDED:
            ended.set()

    async def call() -> None:
        visit = Visit({"Authorization": f"Bearer {GOOD}"})
        async with asyncio.timeout(BOUND):
            await asgi.SessionMiddleware(app, verifier)(visit.scope, visit.told.get, send)

    asyncio.run(call())
    assert ended.is_set()


@pytest.mark.parametrize("kind", ["lifespan", "something.new"])
def test_what_is_neither(verifier: SessionVerifier, kind: str) -> None:
    """The app's start goes through; what nobody knows yet doesn't."""
    reached: list[str] = []

    async def app(scope: asgi.Scope, _receive: asgi.Receive, _send: asgi.Send) -> None:
        reached.append(scope["type"])

    async def call() -> None:
        middleware = asgi.SessionMiddleware(app, verifier)
        await middleware({"type": kind, "path": "/"}, asyncio.Queue().get, asyncio.sleep)  # type: ignore[arg-type]

    if kind == "lifespan":
        asyncio.run(call())
    else:
        with pytest.raises(ValueError, match="neither HTTP nor WebSocket"):
            asyncio.run(call())
    assert reached == [each for each in [kind] if each == "lifespan"]
