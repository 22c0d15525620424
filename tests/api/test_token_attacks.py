"""Forged tokens at every door: none opens, nothing is spent, and no log repeats one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kataven_flask.app import parts_of
from kataven_flask.inspection import Here, inspect
from kataven_flask.signing import KeyRing
from kataven_flask.tokens import SESSION_TYP, VISITOR_TYP
from kataven_flask.verify import InvalidSession, SessionVerifier
from tests.api.test_logs import parts
from tests.api.wire import claims, no_limits, visitor_token
from tests.support import AUDIENCE, ISSUER, NOON, Service, refused
from tests.vectors import VectorKeys, load_keys
from tests.vectors.attacker import Attacker, part, raw_of
from tests.vectors.attacks import KINDS
from tests.vectors.eddsa_attacks import forged_eddsa
from tests.vectors.generate import SESSION, VISITOR, Forge

NOBODY: Final = "http://127.0.0.1:1/jwks.json"
REFUSED_TOKEN: Final = {(400, "invalid_token"), (400, "invalid_field")}
REFUSED_REFRESH: Final = {(400, "invalid_refresh_token"), (400, "invalid_field")}
each_kind = pytest.mark.parametrize("kind", KINDS)


def ring_of(service: Service) -> KeyRing:
    """Return the keys of a server."""
    return parts_of(service.app).ring.current


def attacker(service: Service, typ: str, good: dict[str, Any]) -> Attacker:
    """Return who has a server's own keys, and theirs."""
    return Attacker(Forge(VectorKeys(ring_of(service), load_keys().theirs, b"")), typ, good)


def live_session() -> dict[str, Any]:
    """Return claims that are good by the system's clock, which a `/connect` service reads."""
    now = int(time.time())
    return {**SESSION, "auth_time": now, "iat": now, "exp": now + 600}


def verifier(service: Service) -> SessionVerifier:
    """Return what a `/connect` service verifies with."""
    return SessionVerifier(NOBODY, ISSUER, AUDIENCE, keys=ring_of(service).jwks())


def taken(verify: SessionVerifier, token: str) -> bool:
    """Tell whether a `/connect` service takes a token."""
    try:
        verify.verify(token)
    except InvalidSession:
        return False
    return True


# --- forged JWTs


@each_kind
def test_no_forged_visitor_token_is_exchanged(
    service: Service, asked: list[str], quiet: set[str], kind: str
) -> None:
    """A visitor token with anything about it forged is refused, and spends nothing."""
    no_limits(service)
    forger = attacker(service, VISITOR_TYP, VISITOR)
    odd = {}
    for name, token in KINDS[kind](forger):
        answer = refused(service.exchange(token=token))
        quiet |= parts(token)
        if answer not in REFUSED_TOKEN:
            odd[name] = answer
    assert not odd
    assert not asked
    assert service.exchange(token=forger.good()).status_code == 200


@each_kind
def test_no_forged_session_joins_a_guest(service: Service, quiet: set[str], kind: str) -> None:
    """A forged guest's token beside a good visitor token is passed over: nobody's history joins."""
    no_limits(service)
    forger = attacker(service, SESSION_TYP, {**SESSION, "visitor_type": "guest", "sub": "guest_1"})
    joined = []
    for name, token in KINDS[kind](forger):
        answer = service.exchange(token=visitor_token(service), guest_token=token)
        quiet |= parts(token)
        if answer.status_code == 200 and "guest_id" in claims(service, answer.get_json()["token"]):
            joined.append(name)
        assert refused(answer) in {(200, None), (400, "invalid_field")}, name
    assert not joined
    good = service.exchange(token=visitor_token(service), guest_token=forger.good())
    assert claims(service, good.get_json()["token"])["guest_id"] == "guest_1"


@each_kind
def test_no_forged_jwt_refreshes_or_logs_out(
    service: Service, asked: list[str], quiet: set[str], kind: str
) -> None:
    """A JWT, good or forged, is never a refresh token."""
    no_limits(service)
    for typ, good in ((SESSION_TYP, SESSION), (VISITOR_TYP, VISITOR)):
        forger = attacker(service, typ, good)
        for name, token in [("good", forger.good()), *KINDS[kind](forger)]:
            quiet |= parts(token)
            for answer in (service.refresh(token), service.logout(token)):
                assert refused(answer) in REFUSED_REFRESH, name
    assert not asked


@each_kind
def test_no_forged_session_connects(service: Service, kind: str) -> None:
    """A session token with anything about it forged passes no `/connect` service."""
    forger = attacker(service, SESSION_TYP, live_session())
    verify = verifier(service)
    assert taken(verify, forger.good())
    assert not [name for name, token in KINDS[kind](forger) if taken(verify, token)]


@each_kind
def test_the_inspector_takes_no_forged_token_for_good(service: Service, kind: str) -> None:
    """Who inspects a forged token is told that it doesn't verify."""
    here = Here(ring_of(service), parts_of(service.app).live.current, None, int(NOON))
    for typ, good in ((SESSION_TYP, SESSION), (VISITOR_TYP, VISITOR)):
        forger = attacker(service, typ, good)
        assert inspect(forger.good(), here).verifies
        for name, token in KINDS[kind](forger):
            if not name.startswith(("a blank", "a line's end", "Bearer")):  # it reads a copy
                assert not inspect(token, here).verifies, name


@pytest.mark.parametrize(
    "extension",
    [{"crit": ["\x1b[31mINJECTED\n"], "\x1b[31mINJECTED\n": 1}, {"crit": ["INJECTED"]}],
    ids=["known", "unknown"],
)
def test_a_refusal_repeats_nothing_of_a_header(service: Service, extension: dict[str, Any]) -> None:
    """Whatever a stranger writes in a header, the words of the refusal may go to a log."""
    forger = attacker(service, SESSION_TYP, live_session())
    with pytest.raises(InvalidSession) as refusal:
        verifier(service).verify(forger.by_stranger(**extension))
    assert "INJECTED" not in f"{refusal.value}{refusal.value.__cause__}"


# --- good tokens, bent


def test_no_bit_of_a_signature_can_be_flipped(service: Service, asked: list[str]) -> None:
    """A signature with any one bit flipped is none, at the exchange and at `/connect`."""
    no_limits(service)
    visitor = attacker(service, VISITOR_TYP, VISITOR).good()
    session = attacker(service, SESSION_TYP, live_session()).good()
    verify = verifier(service)
    for bit in range(512):
        bent = [_flipped(token, bit) for token in (visitor, session)]
        assert refused(service.exchange(token=bent[0])) == (400, "invalid_token")
        assert not taken(verify, bent[1])
    assert not asked
    assert taken(verify, session)
    assert service.exchange(token=visitor).status_code == 200


def test_no_token_can_be_cut(service: Service, asked: list[str]) -> None:
    """A token that ends after any of its characters but the last is none."""
    no_limits(service)
    visitor = attacker(service, VISITOR_TYP, VISITOR).good()
    session = attacker(service, SESSION_TYP, live_session()).good()
    verify = verifier(service)
    for end in range(1, len(visitor)):
        assert refused(service.exchange(token=visitor[:end])) == (400, "invalid_token")
    assert not any(taken(verify, session[:end]) for end in range(len(session)))
    assert not asked


@given(
    at=st.integers(0, 2000),
    put=st.sampled_from(["", "A", "=", "==", "!", "\t", " ", ".", "+", "/", "é", "\u200b", "%3D"]),
    over=st.integers(0, 1),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_spelling_of_a_token_is_spent_beside_it(
    service: Service, at: int, put: str, over: int
) -> None:
    """However a token is written otherwise, it and the other spelling are spent once in all."""
    no_limits(service)
    token = visitor_token(service)
    at %= len(token) + 1
    twin = token[:at] + put + token[at + over :]
    served = [service.exchange(token=each).status_code for each in (twin, token)]
    assert served.count(200) == 1
    assert served[0] in {200, 400}


def _flipped(token: str, bit: int) -> str:
    signed, _, signature = token.rpartition(".")
    raw = bytearray(raw_of(signature))
    raw[bit // 8] ^= 1 << bit % 8
    return f"{signed}.{part(bytes(raw))}"


# --- good tokens at the wrong door


def test_no_good_token_opens_another_door(service: Service, asked: list[str]) -> None:
    """Visitor, session and refresh tokens are each good in their own place alone."""
    guest = service.guest().get_json()
    visitor, session, refresh = visitor_token(service), guest["token"], guest["refresh_token"]
    for token in (session, refresh):
        assert refused(service.exchange(token=token)) == (400, "invalid_token")
    for token in (visitor, session):
        assert refused(service.refresh(token)) == (400, "invalid_refresh_token")
        assert refused(service.logout(token)) == (400, "invalid_refresh_token")
    for token in (visitor, session, refresh):
        assert refused(service.user_token(token)) == (401, "invalid_api_key")
        assert refused(service.revoke(token, user_id="42")) == (401, "invalid_api_key")
        assert refused(service.guest(client_key=token[:128])) == (403, "unknown_client_key")
    assert not any(taken(verifier(service), token) for token in (visitor, refresh))
    assert not asked


def test_another_servers_token_is_nobodys_here(tmp_path: Path) -> None:
    """Two servers of one name and one file share no token, as each has its own keys."""
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    one, other = Service(tmp_path / "one"), Service(tmp_path / "other")
    session = other.user_session()
    assert refused(one.exchange(token=visitor_token(other))) == (400, "invalid_token")
    assert refused(one.refresh(session["refresh_token"])) == (400, "invalid_refresh_token")
    assert refused(one.logout(session["refresh_token"])) == (400, "invalid_refresh_token")
    assert not taken(verifier(one), attacker(other, SESSION_TYP, live_session()).good())


# --- a server that signs with EdDSA


def test_no_forged_token_passes_a_server_of_eddsa(tmp_path: Path) -> None:
    """Where the key is an Ed25519 key, no other algorithm makes a token of its public half."""
    service = Service(tmp_path, signing_alg="EdDSA")
    no_limits(service)
    verify = verifier(service)
    for typ, good in ((VISITOR_TYP, VISITOR), (SESSION_TYP, live_session())):
        key = ring_of(service).newest
        for name, token in forged_eddsa(key, typ, good, load_keys().theirs):
            assert not taken(verify, token), name
            assert refused(service.exchange(token=token)) == (400, "invalid_token"), name
    assert service.exchange(token=visitor_token(service)).status_code == 200
