"""Debian's Firefox, as it is shipped, and the widget in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from e2e.bidi import ENTER, Connection, Tab, connected
from e2e.support import START_TIMEOUT, wait_until

Preferences = dict[str, str | int | bool]
"""Of `about:config`."""

NOT_INSTALLED: Final = (
    "the handshake isn't tried in Firefox: firefox-esr is not installed"
    " (Debian: apt-get install firefox-esr)"
)
_LISTENS: Final = re.compile(r"WebDriver BiDi listening on (ws://127\.0\.0\.1:\d+)")


@contextmanager
def firefox(folder: Path) -> Iterator[Connection]:
    """Start a Firefox, or skip the test aloud where there is none; end it afterwards.

    A Firefox that is driven keeps from calling its makers by itself.

    Args:
        folder: Where its profile goes, and all else that it writes.
    """
    executable = shutil.which("firefox-esr")
    if not executable:
        pytest.skip(NOT_INSTALLED)
    log = folder / "stderr.log"
    options = [
        "--headless",
        "--no-remote",
        "--remote-debugging-port",
        "0",
        "--remote-allow-system-access",  # to its preferences
        "--profile",
        str(folder),
    ]
    with log.open("w") as stderr, ExitStack() as stack:
        process = subprocess.Popen(
            [executable, *options],
            stdout=stderr,
            stderr=stderr,
            env={**os.environ, "HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"},
        )
        stack.callback(_end, process)
        wait_until(lambda: _LISTENS.search(log.read_text()) is not None, "Firefox listens")
        yield stack.enter_context(connected(_LISTENS.findall(log.read_text())[0]))


@contextmanager
def preferring(connection: Connection, preferences: Preferences) -> Iterator[None]:
    """Have a Firefox prefer something for the time being, as a visitor does in its settings."""
    window = connection.send("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"][0]

    def run(script: str, value: object) -> None:
        expression = f"({script})({json.dumps(value)})"
        target = {"context": window["context"]}
        answer = connection.send(
            "script.evaluate", expression=expression, target=target, awaitPromise=False
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]

    run(_PREFER, preferences)
    yield
    run("names => names.forEach(name => Services.prefs.clearUserPref(name))", [*preferences])


_PREFER: Final = """preferences => {
  const set = { string: "setStringPref", number: "setIntPref", boolean: "setBoolPref" };
  for (const [name, value] of Object.entries(preferences)) {
    Services.prefs[set[typeof value]](name, value);
  }
}"""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(START_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(START_TIMEOUT)


class FirefoxWidget:
    """The widget in a tab of Firefox, by what a visitor can see and what it tells the page.

    Args:
        tab: The tab.
    """

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def is_(self, state: str, visitor: str | None = None, code: str | None = None) -> FirefoxWidget:
        """Wait until the widget is in a state, for a kind of visitor, with an error or none."""
        awaited = {"state": state, "visitor": visitor, "errorCode": code}
        awaited = {name: value for name, value in awaited.items() if value}
        wait_until(lambda: awaited.items() <= self._data().items(), f"the widget is {awaited}")
        return self

    @property
    def session_id(self) -> str:
        """The session's id."""
        return str(self._data()["sessionId"])

    def token(self) -> str:
        """Return the session token that the widget gives to its page."""
        return str(self.tab.evaluate("window.widget.getToken()"))

    def open(self) -> None:
        """Open the panel by the launcher."""
        self.tab.click(_node(".launcher"))

    def shows(self, words: str, selector: str = "[role=dialog]") -> None:
        """Wait until a part of the panel has the words in it."""
        text = f"{_node(selector)}?.innerText ?? ''"
        wait_until(lambda: words in self.tab.evaluate(text), f"{selector} shows {words!r}")

    def say(self, text: str, reply: str) -> None:
        """Write a message by keyboard, and wait for the reply."""
        self.tab.click(_node("textarea"))
        self.tab.type(text + ENTER)
        self.shows(text, "[role=log]")
        self.shows(reply, "[role=log] .line:last-child")

    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = self.tab.evaluate(
            "({...document.querySelector('kataven-widget')?.dataset})"
        )
        assert not self.tab.thrown(), self.tab.thrown()
        return data


def _node(selector: str) -> str:
    return f"document.querySelector('kataven-widget')?.shadowRoot.querySelector('{selector}')"
