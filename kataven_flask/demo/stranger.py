"""Another site's page, with the shop's snippet pasted in: the widget is refused there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import render_template, request

from kataven_flask.demo.elsewhere import add_elsewhere
from kataven_flask.demo.pages import create_site, widget_policy

if TYPE_CHECKING:
    from flask import Flask


def create_stranger(
    *,
    api_url: str,
    client_key: str,
    home_url: str | None = None,
    framed_by: tuple[str, ...] = (),
) -> Flask:
    """Create the stranger's site.

    Args:
        api_url: The API as a browser reaches it, an http(s) origin.
        client_key: Somebody else's public `pk_…`, copied from their page.
        home_url: The site that the snippet was copied from, to link back to.
        framed_by: The origins whose pages may have this site try the key for them.
    """
    stranger = create_site(__name__, policy=widget_policy(api_url))
    add_elsewhere(stranger, api_url=api_url, framed_by=framed_by)

    @stranger.get("/")
    def front() -> str:
        return render_template(
            "stranger.html",
            api_url=api_url,
            client_key=client_key,
            home_url=home_url,
            own_origin=request.host_url.rstrip("/"),
        )

    return stranger
