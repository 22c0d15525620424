"""WebDriver BiDi, as much of it as a few tests need: commands, what is heard meanwhile, a tab.

The protocol is https://www.w3.org/TR/webdriver-bidi/; its names stand here as they stand there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

PATIENCE: Final = 20.0
"""Seconds that the browser has for an answer."""
EVENTS: Final = ("log.entryAdded", "network.beforeRequestSent")
ENTER: Final = "\ue007"


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """Connect to a browser that listens at a URL such as `ws://127.0.0.1:9222`."""
    with connect(f"{url}/session", proxy=None, max_size=None) as socket:
        connection = Connection(socket)
        connection.send("session.new", capabilities={})
        connection.send("session.subscribe", events=list(EVENTS))
        yield connection


class Connection:
    """A session with a browser.

    Args:
        socket: What goes back and forth.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._numbers = count(1)
        self._socket = socket
        self.heard: list[dict[str, Any]] = []

    def send(self, method: str, **params: Any) -> Any:
        """Send a command, and return its result; events that come before it are kept."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._socket.recv(PATIENCE))).get("id") != number:
            self.heard.append(answer)
        assert answer["type"] == "success", f"{method}: {answer['error']}: {answer['message']}"
        return answer["result"]


class Tab:
    """A tab, which shares nothing with any other one.

    Args:
        connection: The session with the browser.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._user = connection.send("browser.createUserContext")["userContext"]
        found = connection.send("browsingContext.create", type="tab", userContext=self._user)
        self._context = found["context"]

    def run_first(self, script: str) -> None:
        """Run a script in every page of this tab, before any of the page's own."""
        function = f"() => {{ {script} }}"
        self._connection.send(
            "script.addPreloadScript", functionDeclaration=function, contexts=[self._context]
        )

    def close(self) -> None:
        """Close the tab, and forget what it stored."""
        self._connection.send("browser.removeUserContext", userContext=self._user)

    def goto(self, url: str) -> None:
        """Open a page, and wait until it has loaded."""
        self._send("browsingContext.navigate", url=url, wait="complete")

    def reload(self) -> None:
        """Open the page again."""
        self._send("browsingContext.reload", wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return what an expression comes to, or a promise of it, as JSON carries it."""
        as_json = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        return json.loads(self._evaluate(as_json)["value"])

    def click(self, node: str) -> None:
        """Click what an expression gives, with the mouse."""
        origin = {"type": "element", "element": {"sharedId": self._evaluate(node)["sharedId"]}}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": [move, *press]})

    def type(self, text: str) -> None:
        """Type, wherever the focus is."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": keys})

    def cookies(self) -> list[dict[str, Any]]:
        """Return every cookie that is kept."""
        partition = {"type": "storageKey", "userContext": self._user}
        found = self._connection.send("storage.getCookies", partition=partition)
        cookies: list[dict[str, Any]] = found["cookies"]
        return cookies

    def errors(self) -> list[str]:
        """Return what stands in the console as an error, or was thrown and not caught."""
        self.evaluate("0")  # what the browser has said by now is heard
        return [one["text"] for one in self._heard("log.entryAdded") if one["level"] == "error"]

    def thrown(self) -> list[str]:
        """Return what was thrown and not caught, as far as it was heard of."""
        return [one["text"] for one in self._heard("log.entryAdded") if one["type"] == "javascript"]

    def posts(self) -> list[str]:
        """Return where the tab has posted, preflights not counted."""
        self.evaluate("0")
        sent = [one["request"] for one in self._heard("network.beforeRequestSent")]
        return [one["url"] for one in sent if one["method"] == "POST"]

    def _heard(self, method: str) -> list[dict[str, Any]]:
        events = [one["params"] for one in self._connection.heard if one["method"] == method]
        return [one for one in events if self._own(one)]

    def _own(self, params: dict[str, Any]) -> bool:
        return bool(params.get("source", params).get("context") == self._context)

    def _evaluate(self, expression: str) -> dict[str, Any]:
        target = {"context": self._context}
        answer = self._connection.send(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        result: dict[str, Any] = answer["result"]
        return result

    def _act(self, source: dict[str, Any]) -> None:
        self._send("input.performActions", actions=[source])

    def _send(self, method: str, **params: Any) -> None:
        self._connection.send(method, context=self._context, **params)
