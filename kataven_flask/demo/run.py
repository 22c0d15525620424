"""The demo as one process: four sites on loopback; state, keys and its file end with it."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from types import FrameType
from typing import Any, Final

from flask import Flask

from kataven_flask.app import Parts, create_app, parts_of
from kataven_flask.channels import MayWait, always
from kataven_flask.demo.connect import create_connect
from kataven_flask.demo.own_file import OwnFile, copied
from kataven_flask.demo.shop import create_shop
from kataven_flask.demo.stranger import create_stranger
from kataven_flask.errors import ConfigurationError
from kataven_flask.listening import Address, bind
from kataven_flask.registry import Registry
from kataven_flask.serve import Server
from kataven_flask.settings import Settings

LOOPBACK: Final = "127.0.0.1"
CLIENT_KEY: Final = "pk_test_demo_c56wJJekTt040SAU8soRL1"
SECRET_KEY: Final = "sk_test_demo_iyXTvO73nWfI93uSKjXGlGCdOmKlAyXSt4l0mUxKy1s"  # noqa: S105 - public: loopback alone
"""Public on purpose: its client key works on loopback hosts alone."""
_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class DemoSites:
    """Where the demo's sites are, each an origin of its own, and the file that they run on."""

    api: str
    shop: str
    shop_plain: str
    stranger: str
    connect: str
    config: Path


def run_demo(config: Path, port: int, announce: Callable[[DemoSites], None]) -> None:
    """Serve the demo until Ctrl-C or SIGTERM.

    Args:
        config: A tenants' file that has the demo's key; it runs on a copy.
        port: The API's port; the sites take the three after it. 0 takes free ones.
        announce: Called with the addresses once all of them answer.

    Raises:
        ConfigurationError: A port is taken, or the file can't be used.
    """
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    with demo_sites(config, port) as sites:
        announce(sites)
        ended.wait()


@contextmanager
def demo_sites(config: Path, port: int = 0) -> Iterator[DemoSites]:
    """Serve the demo from threads of this process.

    Args:
        config: A tenants' file that has the demo's key; it runs on a copy.
        port: The API's port; the sites take the three after it. 0 takes free ones.

    Raises:
        ConfigurationError: A port is taken, or the file can't be used.

    Yields:
        The addresses.
    """
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(bind(Address(LOOPBACK, port and port + offset)))
            for offset in range(4)
        ]
        ports = [listener.getsockname()[1] for listener in listeners]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kataven-demo-")))
        copy = copied(config, folder / "config")
        sites = _addresses(copy, *ports)
        api = create_app(
            Settings(config=copy, instance=folder / "instance", state="memory:", issuer=sites.api)
        )
        parts = parts_of(api)
        stack.callback(parts.close)
        if CLIENT_KEY not in parts.live.current.keys:
            raise ConfigurationError(f"{config}: lacks the demo's key {CLIENT_KEY}; see --config")
        others = _around(sites, parts, backend_url=f"http://{LOOPBACK}:{ports[0]}")
        stack.enter_context(_running(api, listeners[0], may_wait=parts.may_wait))
        for app, listener in zip(others, listeners[1:], strict=True):
            stack.enter_context(_running(app, listener))
        yield sites


def _around(sites: DemoSites, parts: Parts, *, backend_url: str) -> list[Flask]:
    """Create the sites around the API, which backends reach by its number.

    Not every resolver knows *.localhost.
    """

    def registry() -> Registry:
        return parts.live.current

    shops = (sites.shop, sites.shop_plain)
    shop = create_shop(
        api_url=sites.api,
        connect_url=f"{sites.connect}/connect",
        client_key=CLIENT_KEY,
        secret_key=SECRET_KEY,
        stranger_url=sites.stranger,
        backend_url=backend_url,
        own_urls=shops,
        own_file=OwnFile(sites.config, CLIENT_KEY, registry),
    )
    stranger = create_stranger(
        api_url=sites.api, client_key=CLIENT_KEY, home_url=sites.shop, framed_by=shops
    )
    connect = create_connect(
        jwks_url=f"{backend_url}/.well-known/jwks.json",
        issuer=registry().issuer or sites.api,
        audience=registry().audience,
    )
    return [shop, stranger, connect]


def _addresses(config: Path, api: int, shop: int, stranger: int, connect: int) -> DemoSites:
    return DemoSites(
        api=f"http://localhost:{api}",
        shop=f"http://shop.acme.localhost:{shop}",
        shop_plain=f"http://localhost:{shop}",
        stranger=f"http://stranger.localhost:{stranger}",
        connect=f"http://localhost:{connect}",
        config=config,
    )


@contextmanager
def _running(app: Any, listener: socket, *, may_wait: MayWait = always) -> Iterator[None]:
    server = Server(app, listener, _THREADS, may_wait=may_wait)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join()
