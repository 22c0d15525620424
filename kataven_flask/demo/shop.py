"""A small shop with its own sign-in: the page that embeds the widget, and its backend."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from flask import Response, jsonify, redirect, render_template, request, session, url_for
from werkzeug.exceptions import BadRequest

from kataven_flask.demo.pages import create_site, refuse_other_sites, widget_policy

if TYPE_CHECKING:
    from flask import Flask
    from werkzeug.wrappers import Response as BaseResponse

BACKEND_TIMEOUT: Final = 5.0
"""Seconds that the shop's backend waits for the API."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with an account at the shop."""

    user_id: str
    name: str
    email: str
    about: str

    @property
    def initials(self) -> str:
        """The first letters of the name, for a round picture."""
        return "".join(word[0] for word in self.name.split())


@dataclass(frozen=True, slots=True)
class Product:
    """Something on the shelf; `picture` is a file among the demo's images."""

    name: str
    notes: str
    price: str
    picture: str


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


class ApiRefusedError(Exception):
    """The API gave no visitor token; `code` says why."""

    def __init__(self, code: str) -> None:
        """Keep the API's error code, which is safe to show."""
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ApiClient:
    """The shop's backend side of the handshake.

    Args:
        api_url: Where the backend reaches the API.
        client_key: The public key in the shop's pages.
        secret_key: Its secret key; it never leaves the backend.
        agent_id: The agent that the visitor will talk to, or None for the key's own.
    """

    api_url: str
    client_key: str
    secret_key: str
    agent_id: str | None

    def user_token(self, customer: Customer) -> str:
        """Ask for a visitor token for a customer whom the shop has signed in.

        Raises:
            ApiRefusedError: The API refused, or couldn't be reached.
        """
        body = {
            "client_key": self.client_key,
            "user_id": customer.user_id,
            "name": customer.name,
            "email": customer.email,
        }
        if self.agent_id is not None:
            body["agent_id"] = self.agent_id
        answer = self._post("/api/v1/widget/auth/user-token", body)
        return str(answer["user_token"])

    def _post(self, path: str, body: dict[str, str]) -> dict[str, object]:
        call = Request(  # noqa: S310 - the address is the operator's, checked in create_shop
            self.api_url + path,
            data=json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.secret_key}",
                "Content-Type": "application/json",
            },
        )
        # No proxy from the environment: a secret key goes to the API and nowhere else.
        opener = build_opener(ProxyHandler({}))
        try:
            with opener.open(call, timeout=BACKEND_TIMEOUT) as answer:
                return cast("dict[str, object]", json.load(answer))
        except HTTPError as error:
            with error:
                raise ApiRefusedError(error.headers.get("X-Error-Code", "refused")) from error
        except (URLError, TimeoutError, ValueError) as error:
            raise ApiRefusedError("unreachable") from error


def create_shop(  # noqa: PLR0913 - a page's addresses, all by name
    *,
    api_url: str,
    connect_url: str | None,
    client_key: str,
    secret_key: str,
    agent_id: str | None = None,
    stranger_url: str | None = None,
    backend_url: str | None = None,
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

    Raises:
        ValueError: An address isn't http(s).
    """
    backend_url = (backend_url or api_url).rstrip("/")
    if not backend_url.startswith(("http://", "https://")):
        message = f"not an http(s) address: {backend_url}"
        raise ValueError(message)
    shop = create_site(__name__, policy=widget_policy(api_url, connect_url))
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
        "customers": tuple(CUSTOMERS.values()),
        "products": PRODUCTS,
    }
    _add_pages(shop, page)
    _add_widget_token(shop, ApiClient(backend_url, client_key, secret_key, agent_id))
    return shop


def _add_pages(shop: Flask, page: dict[str, object]) -> None:
    @shop.get("/")
    def front() -> str:
        return render_template("shop.html", **page, customer=_signed_in())

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
    def widget_token() -> tuple[Response, HTTPStatus]:
        refuse_other_sites()
        customer = _signed_in()
        if customer is None:
            return _private({"error": "not_signed_in"}), HTTPStatus.UNAUTHORIZED
        try:
            return _private({"user_token": api.user_token(customer)}), HTTPStatus.OK
        except ApiRefusedError as error:
            return _private({"error": error.code}), HTTPStatus.BAD_GATEWAY


def _private(body: dict[str, str]) -> Response:
    response = jsonify(body)
    response.headers["Cache-Control"] = "no-store"
    return response


def _signed_in() -> Customer | None:
    return CUSTOMERS.get(session.get("user", ""))
