"""What is settled of a request before the app sees it: whose it is, and whether it came by TLS.

Nothing else that a request says of its way is heeded: no `Forwarded`, no `X-Real-IP`, no
`X-Forwarded-Host`, and of `Host` nothing is ever built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from kataven_flask.proxies import Proxies, is_https

WsgiApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_MAKE_A_SCHEME: Final = (
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_PROTOCOL",
    "HTTP_X_FORWARDED_SSL",
)
"""What gunicorn and uWSGI take a scheme from, whoever sends it."""


_BELIEVED: Final = "kataven.proxy"


def came_by_unnamed_proxy(environ: Mapping[str, Any]) -> bool:
    """Tell whether a request looks as if a proxy had passed it on that isn't believed.

    Then all visitors behind it count as one. A stranger may send the header, too.

    Args:
        environ: The request, as PEP 3333 has it.
    """
    return "HTTP_X_FORWARDED_FOR" in environ and _BELIEVED not in environ


def with_entry(app: WsgiApp, proxies: Proxies | None, hsts: int | None) -> WsgiApp:
    """Lay over an app what tells it the client's address, and browsers to stay with TLS.

    Args:
        app: The app.
        proxies: Whose word on the client is believed; None for nobody's.
        hsts: For how many seconds a browser that came by TLS asks by TLS alone (RFC 6797,
            section 6.1.1); None to say nothing.

    Returns:
        The app with it; the app itself where there is nothing to do.
    """
    if proxies is None and hsts is None:
        return app
    believed = proxies or Proxies(())
    header = None if hsts is None else ("Strict-Transport-Security", f"max-age={hsts}")

    def enter(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        if believed.trusts(peer):
            environ[_BELIEVED] = True
            forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
            environ["REMOTE_ADDR"] = believed.client(peer, forwarded_for)
            by_tls = is_https(environ.get("HTTP_X_FORWARDED_PROTO", ""))
        else:
            by_tls = _came_by_tls(environ)
        environ["wsgi.url_scheme"] = "https" if by_tls else "http"
        if by_tls and header is not None:
            return app(environ, _adding(header, start_response))
        return app(environ, start_response)

    return enter


def _came_by_tls(environ: dict[str, Any]) -> bool:
    """Tell whether the server itself has spoken TLS with this client."""
    if environ["wsgi.url_scheme"] != "https":
        return False
    return not any(name in environ for name in _MAKE_A_SCHEME)


def _adding(header: tuple[str, str], start_response: Callable[..., Any]) -> Callable[..., Any]:
    def start(status: str, headers: list[tuple[str, str]], *fault: Any) -> Any:
        return start_response(status, [*headers, header], *fault)

    return start
