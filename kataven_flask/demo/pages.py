"""What the demo's pages have in common: their folder and their security headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import Forbidden

from kataven_flask.assets import static_dir

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY_BYTES: Final = 16 * 1024


def create_site(
    import_name: str, *, policy: Mapping[str, str], own_urls: tuple[str, ...] = ()
) -> Flask:
    """Make an app that serves the demo's templates and files under a strict policy.

    Args:
        import_name: The module that the site is written in.
        policy: Its Content-Security-Policy, a value for each directive.
        own_urls: The origins that it answers on, where these are known. By any other host it isn't
            reached: somebody's own domain that resolves to this machine would pass for it.
    """
    folder = static_dir() / "demo"
    site = Flask(
        import_name,
        template_folder=folder,
        static_folder=folder / "assets",
        static_url_path="/static",
    )
    site.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    site.config["TRUSTED_HOSTS"] = [str(urlsplit(url).hostname) for url in own_urls] or None
    headers = {
        "Content-Security-Policy": policy_header(policy),
        # The API knows the page by its origin, so that much of the referrer has to pass.
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
    }

    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    site.after_request(protect)
    return site


def policy_header(policy: Mapping[str, str]) -> str:
    """Write a Content-Security-Policy, a value for each directive, as its header has it."""
    return "; ".join(f"{name} {value}" for name, value in policy.items())


def widget_policy(api_url: str, *connect_urls: str | None) -> dict[str, str]:
    """Return the Content-Security-Policy of a page that embeds the widget, and needs no more.

    Args:
        api_url: Where the widget's script comes from and its sessions are made.
        connect_urls: Where else the widget sends messages; None is left out.
    """
    destinations = " ".join([api_url, *(url for url in connect_urls if url)])
    return {
        "default-src": "'none'",
        "script-src": f"'self' {api_url}",
        "connect-src": f"'self' {destinations}",
        "img-src": f"'self' {api_url}",
        "style-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }


def refuse_other_sites() -> None:
    """Refuse a request that another site's page made a browser send.

    Raises:
        Forbidden: The browser says that the request began on another origin.
    """
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin", request.host_url.rstrip("/"))
    if site != "same-origin" or origin != request.host_url.rstrip("/"):
        raise Forbidden
