"""A real server in a process of its own."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.tokens import Tokens
from tests.running import COMMAND, running, wait_until
from tests.support import AUDIENCE, ISSUER, KEY, ORIGIN, document
from tests.verify.sign_in import SignIn


@dataclass(frozen=True, slots=True)
class World:
    """A running server.

    Args:
        url: Where it is.
        folder: Where its files are.
    """

    url: str
    folder: Path

    def guest(self) -> str:
        """Return the session token of a new guest."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/api/v1/widget/auth/guest",
            json.dumps({"client_key": KEY}).encode(),
            {"Origin": ORIGIN},
        )
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return str(json.load(response)["token"])

    @property
    def jwks_url(self) -> str:
        """Where it publishes its keys."""
        return f"{self.url}/.well-known/jwks.json"

    @property
    def sign_in(self) -> SignIn:
        """What mints any session token by its keys."""
        ring = open_key_ring(self.folder / "instance")
        return SignIn(self.url, Tokens(ring, ISSUER, AUDIENCE))

    def kids(self) -> list[str]:
        """Return the ids of the keys that it publishes."""
        with urllib.request.urlopen(self.jwks_url) as response:  # noqa: S310
            return [key["kid"] for key in json.load(response)["keys"]]

    def rotate(self, option: str) -> None:
        """Rotate its keys, and wait until it publishes the new one."""
        before = self.kids()
        command = [COMMAND, "signing-keys", "rotate", option, "--instance", "instance"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        wait_until(lambda: self.kids() != before, "the new key is published")


@contextmanager
def running_world(folder: Path) -> Iterator[World]:
    """Run a server."""
    (folder / "tenants.yaml").write_text(yaml.safe_dump(document()))
    options = ("--config", "tenants.yaml", "--instance", "instance", "--listen", "127.0.0.1:0")
    with running(COMMAND, "serve", *options, cwd=folder) as server:
        yield World(f"http://127.0.0.1:{server.port()}", folder)
        assert server.end() == 0
