"""What a `/connect` service sees: live sessions, told by the public keys alone."""

from __future__ import annotations

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from kataven_flask.key_ring_file import open_key_ring
from kataven_flask.listening import Address, bind
from kataven_flask.serve import Server
from kataven_flask.signing import KeyRing, RefreshSecret, make_signing_key
from kataven_flask.tokens import (
    SESSION_TYP,
    VISITOR_TYP,
    RefreshClaims,
    SessionClaims,
    Tokens,
    VisitorClaims,
)
from kataven_flask.verify import (
    CLOCK_SKEW,
    InvalidSession,
    KeysUnavailableError,
    SessionVerifier,
)
from kataven_flask.verify import Session as VerifiedSession
from tests.support import AUDIENCE, ISSUER, KEY, ORIGIN, Service
from tests.vectors import JWT_FILE, load_keys, load_vectors
from tests.verify.sign_in import GUEST, HOUR, NOW, USER, SignIn


@pytest.fixture(scope="module", params=["by URL", "by keys that were fetched already"])
def verifier(sign_in: SignIn, request: pytest.FixtureRequest) -> SessionVerifier:
    """Return a verifier as a `/connect` service makes it once."""
    if request.param == "by URL":
        return SessionVerifier(sign_in.jwks_url, ISSUER, AUDIENCE)
    nobody = "http://127.0.0.1:1/jwks.json"
    return SessionVerifier(nobody, ISSUER, AUDIENCE, keys=sign_in.tokens.ring.jwks())


def test_a_users_session(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A live session token tells who is calling, and which guest that user was before."""
    assert verifier.verify(sign_in.mint()) == VerifiedSession(
        visitor_id="42",
        visitor_type="user",
        session_id="ses_1",
        tenant="acme",
        agent_id="support",
        client_key=KEY,
        origin=ORIGIN,
        auth_time=NOW,
        expires_at=NOW + HOUR,
        name="Ada Lovelace",
        email="ada@acme.com",
        guest_id="guest_1",
    )


def test_a_guests_session(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A guest has an id, and neither a name nor an address."""
    session = verifier.verify(sign_in.mint(GUEST))
    assert (session.visitor_id, session.visitor_type) == ("guest_1", "guest")
    assert (session.name, session.email, session.guest_id) == (None, None, None)


def test_a_session_shows_no_person(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A session that reaches a log by mistake shows neither id, nor name, nor address."""
    shown = repr(verifier.verify(sign_in.mint()))
    assert "Ada" not in shown
    assert "ada@" not in shown
    assert "'42'" not in shown


@pytest.mark.parametrize("value", [None, "", [ISSUER], {ISSUER}, 1], ids=repr)
@pytest.mark.parametrize("name", ["issuer", "audience"])
def test_nothing_to_compare_with(sign_in: SignIn, name: str, value: Any) -> None:
    """A variable that isn't set, handed on as it is, never means that any issuer will do."""
    given = {"issuer": ISSUER, "audience": AUDIENCE, name: value}
    with pytest.raises(ValueError, match=f"^{name} is a text"):
        SessionVerifier(sign_in.jwks_url, **given)


def test_expired(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A token whose time is over is refused, beyond what clocks may differ."""
    with pytest.raises(InvalidSession):
        verifier.verify(sign_in.mint(exp=NOW - CLOCK_SKEW - 1))


def test_another_typ(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A visitor token isn't a session token, whatever its audience."""
    visitor = VisitorClaims("42", "acme", KEY, "vis_1", NOW, NOW + HOUR)
    with pytest.raises(InvalidSession):
        verifier.verify(sign_in.tokens.mint_visitor(visitor))
    forge = sign_in.forge()
    for typ in (VISITOR_TYP, "JWT", "", None, 1, SESSION_TYP.upper()):
        payload = _payload(sign_in.session())
        with pytest.raises(InvalidSession):
            verifier.verify(forge.token(forge.header(typ=typ), payload))
        assert verifier.verify(forge.token(forge.header(typ=SESSION_TYP), payload))


def _payload(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_a_refresh_token(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A refresh token isn't a session token."""
    refresh = sign_in.tokens.mint_refresh(RefreshClaims(USER, 0, NOW, NOW + HOUR))
    with pytest.raises(InvalidSession):
        verifier.verify(refresh)


def test_another_audience(sign_in: SignIn) -> None:
    """A token for another service is refused."""
    other = SessionVerifier(sign_in.jwks_url, ISSUER, "another:service")
    with pytest.raises(InvalidSession):
        other.verify(sign_in.mint())


def test_another_issuer(sign_in: SignIn) -> None:
    """A token of another sign-in service is refused, even if it shares the keys."""
    other = SessionVerifier(sign_in.jwks_url, "https://other.example.com", AUDIENCE)
    with pytest.raises(InvalidSession):
        other.verify(sign_in.mint())


def test_a_foreign_key(verifier: SessionVerifier) -> None:
    """A token that a stranger signed is refused, whatever it claims."""
    stranger = Tokens(
        KeyRing((make_signing_key(load_keys().theirs),), (RefreshSecret(b"r" * 32),)),
        ISSUER,
        AUDIENCE,
    )
    with pytest.raises(InvalidSession):
        verifier.verify(stranger.mint_session(SessionClaims(USER, "tok_1", NOW, NOW + HOUR)))


def test_a_foreign_key_under_our_kid(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A token that a stranger signed under the id of our key is refused."""
    forge = sign_in.forge()
    payload = _payload(sign_in.session())
    with pytest.raises(InvalidSession):
        verifier.verify(forge.token(forge.header(SESSION_TYP), payload, load_keys().theirs))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": [AUDIENCE]},
        {"aud": [AUDIENCE, "x"]},
        {"aud": None},
        {"iss": [ISSUER]},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": -1},
        {"exp": float("nan")},
        {"exp": float("-inf")},
        {"exp": float("inf")},
        {"exp": []},
        {"iat": None},
        {"iat": NOW + HOUR},
        {"iat": "now"},
        {"nbf": NOW + HOUR},
        {"sub": None},
        {"sub": 42},
        {"jti": None},
        {"jti": 1},
        {"sid": None},
    ],
    ids=lambda claims: repr(claims).replace(str(NOW + HOUR), "in an hour"),
)
def test_hostile_claims(sign_in: SignIn, verifier: SessionVerifier, claims: dict[str, Any]) -> None:
    """A token that isn't as the service mints it is refused, even with its signature."""
    with pytest.raises(InvalidSession):
        verifier.verify(sign_in.session(**claims))


PROMISED_CLAIMS = (
    "iss aud sub iat exp jti sid tenant agent_id client_key origin visitor_type auth_time"
)


@pytest.mark.parametrize("claim", PROMISED_CLAIMS.split())
def test_missing_claims(sign_in: SignIn, verifier: SessionVerifier, claim: str) -> None:
    """A token without any one of the promised claims is refused."""
    forge = sign_in.forge()
    payload = _payload(sign_in.session())
    del payload[claim]
    with pytest.raises(InvalidSession):
        verifier.verify(forge.token(forge.header(SESSION_TYP), payload))


@pytest.mark.parametrize(
    "token",
    [v.token for v in load_vectors(JWT_FILE)],
    ids=[f"{v.verifier}-{v.name}".replace(" ", "-") for v in load_vectors(JWT_FILE)],
)
def test_vectors(verifier: SessionVerifier, token: str) -> None:
    """No fixed token of another server, hostile or not, passes or makes the verifier fault."""
    with pytest.raises(InvalidSession):
        verifier.verify(token)


def test_a_long_token(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A token that is longer than any that the service mints is refused, whatever it is."""
    assert verifier.verify(sign_in.session(name="x" * 9_000))
    with pytest.raises(InvalidSession, match="it is too long"):
        verifier.verify(sign_in.session(name="x" * 12_000))


def test_a_changed_character(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """A live token with a character of its payload changed is refused."""
    header, payload, signature = sign_in.mint().split(".")
    for at in range(0, len(payload), 7):
        other = "A" if payload[at] != "A" else "B"
        changed = f"{header}.{payload[:at]}{other}{payload[at + 1 :]}.{signature}"
        with pytest.raises(InvalidSession):
            verifier.verify(changed)


def test_a_refusal_repeats_nothing(sign_in: SignIn, verifier: SessionVerifier) -> None:
    """The words of a refusal have nothing of the token: they may be logged or sent."""
    token = sign_in.mint(exp=NOW - HOUR)
    with pytest.raises(InvalidSession) as refusal:
        verifier.verify(token)
    assert not any(part in str(refusal.value) for part in token.split("."))
    assert "ada" not in str(refusal.value)


@pytest.mark.parametrize("path", ["/nowhere", "/readyz/"], ids=["404", "404 of a folder"])
def test_no_keys_there(sign_in: SignIn, path: str) -> None:
    """Where the keys can't be read nobody is let in, and nobody is told to sign in again."""
    verifier = SessionVerifier(f"{sign_in.url}{path}", ISSUER, AUDIENCE)
    with pytest.raises(KeysUnavailableError):
        verifier.verify(sign_in.mint())


@pytest.mark.parametrize("path", ["/healthz", "/widget/v1.js"], ids=["other JSON", "no JSON"])
def test_something_else_there(sign_in: SignIn, path: str) -> None:
    """Where something else than keys is read, it isn't blamed on the token."""
    verifier = SessionVerifier(f"{sign_in.url}{path}", ISSUER, AUDIENCE)
    with pytest.raises(KeysUnavailableError):
        verifier.verify(sign_in.mint())


def test_nobody_there(sign_in: SignIn) -> None:
    """Where the sign-in service can't be reached, nobody is let in."""
    with bind(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    verifier = SessionVerifier(f"http://127.0.0.1:{port}/jwks.json", ISSUER, AUDIENCE)
    with pytest.raises(KeysUnavailableError):
        verifier.verify(sign_in.mint())


def test_eddsa(tmp_path: Path) -> None:
    """A service that signs with EdDSA is verified alike."""
    service = Service(tmp_path, signing_alg="EdDSA")
    ring = open_key_ring(service.settings.instance)
    assert ring.newest.alg == "EdDSA"
    with bind(Address("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        server = Server(service.app, listener, threads=1)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            sign_in = SignIn(f"http://127.0.0.1:{port}", Tokens(ring, ISSUER, AUDIENCE))
            verifier = SessionVerifier(sign_in.jwks_url, ISSUER, AUDIENCE)
            assert verifier.verify(sign_in.mint()).visitor_id == "42"
        finally:
            server.stop()
            thread.join()
