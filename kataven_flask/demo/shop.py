"""A small shop with its own sign-in: the page that embeds the widget, and its backend."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from flask import Response, jsonify, redirect, render_template, request, session, url_for
from werkzeug.exceptions import BadRequest

from kataven_flask.demo.backend import ApiClient, ApiRefusedError, Call, Customer
from kataven_flask.demo.elsewhere import add_elsewhere
from kataven_flask.demo.own_file import OwnFile
from kataven_flask.demo.pages import create_site, refuse_other_sites, widget_policy
from kataven_flask.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask
    from werkzeug.wrappers import Response as BaseResponse


@dataclass(frozen=True, slots=True)
class Product:
    """Something on the shelf; `picture` is a file among the demo's images."""

    name: str
    notes: str
    price: str
    picture: str


CALL_HEADER: Final = "X-Demo-Call"
"""Tells the page of a call that the backend made for it; of the secret key not a word."""

CUSTOMERS: Final = {
    customer.user_id: customer
    for customer in (
        Customer("ada", "Ada Lovelace", "ada@example.com", "Three espressos a day"),
        Customer("mina", "Mina Okafor", "mina@example.com", "New here, curious about filters"),
        Customer("jun", "Jun Park", "jun@example.com", "Runs the café next door"),
    )
}

PRODUCTS: Final = (
    Product("First Light", "Washed Ethiopia · jasmine, apricot", "€14.00", "bag-first-light.svg"),
    Product("Night Shift", "Dark Sumatra · cocoa, cedar", "€12.50", "bag-night-shift.svg"),
    Product("Half Past Four", "Decaf Colombia · caramel, plum", "€13.00", "bag-half-past.svg"),
    Product("The Slow One", "Pour-over kettle, 0.9 l", "€49.00", "kettle.svg"),
    Product("Paper & Patience", "Dripper with 100 filters", "€24.00", "dripper.svg"),
    Product("Monday Mug", "Stoneware, holds what it takes", "€16.00", "mug.svg"),
)


def create_shop(  # noqa: PLR0913 - a page's addresses, all by name
    *,
    api_url: str,
    connect_url: str | None,
    client_key: str,
    secret_key: str,
    agent_id: str | None = None,
    stranger_url: str | None = None,
    backend_url: str | None = None,
    own_urls: tuple[str, ...] = (),
    own_file: OwnFile | None = None,
) -> Flask:
    """Create the shop.

    Args:
        api_url: The API as a browser reaches it, an http(s) origin.
        connect_url: Where the widget sends a visitor's messages.
        client_key: The public `pk_…` that the page carries.
        secret_key: The `sk_…` that the shop's backend calls the API with.
        agent_id: The agent to talk to, or None for the key's own.
        stranger_url: A page on another site with the same snippet, to link to.
        backend_url: The API as the shop's backend reaches it; `api_url` if None.
        own_urls: The origins that the shop answers on, and no other; its page tries another one's.
        own_file: The API's tenants' file, where a visitor may edit it.

    Raises:
        ValueError: An address isn't http(s).
    """
    backend_url = (backend_url or api_url).rstrip("/")
    if not backend_url.startswith(("http://", "https://")):
        message = f"not an http(s) address: {backend_url}"
        raise ValueError(message)
    policy = widget_policy(api_url, connect_url)
    policy["frame-src"] = " ".join(filter(None, (stranger_url, *own_urls))) or "'none'"
    shop = create_site(__name__, policy=policy, own_urls=own_urls)
    shop.secret_key = secrets.token_bytes(32)  # a restart signs everybody out
    shop.config.update(
        SESSION_COOKIE_NAME="acme_coffee",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    page: dict[str, object] = {
        "api_url": api_url,
        "connect_url": connect_url,
        "client_key": client_key,
        "agent_id": agent_id,
        "stranger_url": stranger_url,
        "own_urls": own_urls,
        "own_file": own_file,
        "customers": tuple(CUSTOMERS.values()),
        "products": PRODUCTS,
    }
    _add_pages(shop, page)
    _add_widget_token(shop, ApiClient(backend_url, client_key, secret_key, agent_id))
    add_elsewhere(shop, api_url=api_url, framed_by=own_urls)
    if own_file is not None:
        _add_edits(shop, own_file)
    return shop


def _add_pages(shop: Flask, page: dict[str, object]) -> None:
    @shop.get("/")
    def front() -> str:
        here = request.host_url.rstrip("/")
        others = [url for url in cast("tuple[str, ...]", page["own_urls"]) if url != here]
        other_url = others[0] if others else None
        return render_template("shop.html", **page, customer=_signed_in(), other_url=other_url)

    @shop.post("/sign-in")
    def sign_in() -> BaseResponse:
        refuse_other_sites()
        customer = CUSTOMERS.get(request.form.get("user", ""))
        if customer is None:
            raise BadRequest
        session.clear()
        session["user"] = customer.user_id
        return redirect(url_for("front"), HTTPStatus.SEE_OTHER)

    @shop.post("/sign-out")
    def sign_out() -> BaseResponse:
        refuse_other_sites()
        session.clear()
        return redirect(url_for("front"), HTTPStatus.SEE_OTHER)


def _add_widget_token(shop: Flask, api: ApiClient) -> None:
    @shop.post("/widget-token")
    def widget_token() -> Response:
        refuse_other_sites()
        customer = _signed_in()
        if customer is None:
            return _private({"error": "not_signed_in"}, HTTPStatus.UNAUTHORIZED)
        calls: list[Call] = []
        try:
            answer = _private({"user_token": api.user_token(customer, calls.append)})
        except ApiRefusedError as error:
            answer = _private({"error": error.code}, HTTPStatus.BAD_GATEWAY)
        for call in calls:  # no shop needs this; it is for the page that shows how all works
            answer.headers.add(CALL_HEADER, call.as_header())
        return answer


def _add_edits(shop: Flask, own_file: OwnFile) -> None:
    @shop.post("/edit")
    def edit() -> Response:
        refuse_other_sites()
        try:
            edited = own_file.edit(request.form.get("edit", ""))
        except KeyError:
            raise BadRequest from None
        except ConfigurationError as error:
            return _private({"error": str(error)}, HTTPStatus.CONFLICT)
        told = {
            "file": own_file.name,
            "diff": edited.diff,
            "seconds": edited.seconds,
            "key_is_on": own_file.key_is_on,
        }
        return _private(told)


def _private(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response:
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _signed_in() -> Customer | None:
    return CUSTOMERS.get(session.get("user", ""))
