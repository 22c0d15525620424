"""A small page that a shop's page frames from another origin, to see what is refused there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, make_response, render_template, request

from kataven_flask.demo.pages import policy_header

if TYPE_CHECKING:
    from flask import Flask


def add_elsewhere(site: Flask, *, api_url: str, framed_by: tuple[str, ...]) -> None:
    """Give a site the page `/elsewhere`.

    Args:
        site: The site.
        api_url: The API as a browser reaches it.
        framed_by: The origins whose pages may frame it, and ask it to call the API.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": api_url,
        "form-action": "'none'",
        "base-uri": "'none'",
        "frame-ancestors": " ".join(framed_by) or "'none'",
        "require-trusted-types-for": "'script'",
    }

    @site.get("/elsewhere")
    def elsewhere() -> Response:
        own_origin = request.host_url.rstrip("/")
        page = render_template(
            "elsewhere.html", api_url=api_url, framed_by=framed_by, own_origin=own_origin
        )
        response = make_response(page)
        response.headers["Content-Security-Policy"] = policy_header(policy)
        return response
