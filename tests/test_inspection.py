"""Why a token isn't taken: told whole, and never otherwise than the server decides."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kataven_flask.app import parts_of
from kataven_flask.inspection import Here, Inspection, inspect
from kataven_flask.key_ring_file import read_key_ring
from kataven_flask.keys import generate_client_key, generate_secret_key
from kataven_flask.recognition import MAX_DEPTH, Kind, recognise
from kataven_flask.registry import Registry, load_registry
from kataven_flask.tenants import DocumentLimits
from kataven_flask.tokens import BadTokenError, Tokens
from tests.support import (
    AUDIENCE,
    ISSUER,
    KEY,
    NOON,
    ORIGIN,
    PINNED_KEY,
    SECRET,
    Service,
    document,
)
from tests.vectors import JWT_FILE, REFRESH_FILE, Vector, load_keys, load_vectors
from tests.vectors.generate import SESSION, VISITOR, Forge

NOW: Final = int(NOON)
KEYS: Final = load_keys()
FORGE: Final = Forge(KEYS)
TOKENS: Final = Tokens(KEYS.ours, ISSUER, AUDIENCE)
VECTORS: Final = load_vectors(JWT_FILE) + load_vectors(REFRESH_FILE)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Return the tests' tenants."""
    path = tmp_path_factory.mktemp("config") / "tenants.yaml"
    path.write_text(yaml.safe_dump(document()))
    return load_registry(path)


@pytest.fixture(scope="module")
def here(registry: Registry) -> Here:
    """Return a server that has the vectors' keys."""
    return Here(KEYS.ours, registry, None, NOW)


def codes(inspection: Inspection) -> list[str]:
    """Return the names of the reasons."""
    return [reason.code for reason in inspection.reasons]


def text_of(inspection: Inspection, code: str) -> str:
    """Return what one reason says."""
    (text,) = [reason.text for reason in inspection.reasons if reason.code == code]
    return text


def encoded(content: str | bytes) -> str:
    """Encode a part of a token."""
    raw = content.encode() if isinstance(content, str) else content
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def accepted(token: str) -> bool:
    """Tell whether any of the server's own verifiers takes a token."""
    for verify in (
        lambda: TOKENS.verify_visitor(token, NOW),
        lambda: TOKENS.verify_session(token, NOW),
        lambda: TOKENS.verify_refresh(token),
    ):
        try:
            verify()
        except BadTokenError:
            continue
        return True
    return False


class TestKinds:
    """What a text is."""

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            (FORGE.visitor(), Kind.VISITOR),
            (f"  {FORGE.session()}\n", Kind.SESSION),
            (f"Authorization: Bearer {FORGE.session()}", Kind.SESSION),
            (f'"{FORGE.session()}"', Kind.SESSION),
            (load_vectors(REFRESH_FILE)[0].token, Kind.REFRESH),
            (FORGE.token({"alg": "ES256", "typ": "JWT"}, {"sub": "1"}), Kind.OTHER_JWT),
            (FORGE.token({"alg": "ES256"}, {}), Kind.OTHER_JWT),
            (".".join([encoded('{"alg":"RSA-OAEP"}'), "a", "b", "c", "d"]), Kind.ENCRYPTED_JWT),
            (FORGE.visitor()[:40], Kind.BROKEN_TOKEN),
            (FORGE.visitor().rpartition(".")[0], Kind.BROKEN_TOKEN),
            ("eyJ" + "a" * 20_000, Kind.BROKEN_TOKEN),
            pytest.param(generate_client_key("acme"), Kind.CLIENT_KEY, id="client key"),
            pytest.param(generate_secret_key("acme"), Kind.SECRET_KEY, id="secret key"),
            pytest.param(
                f"Bearer {generate_secret_key('acme')}",
                Kind.SECRET_KEY,
                id="secret key as a header has it",
            ),
            pytest.param(
                f"KATAVEN_SECRET={generate_secret_key('acme', 'test')}",
                Kind.SECRET_KEY,
                id="secret key as a shell has it",
            ),
            (FORGE.public_pem.decode(), Kind.UNKNOWN),
            (KEYS.ours.newest.pem(), Kind.PRIVATE_KEY),
            ("sha256:" + "0" * 64, Kind.SECRET_HASH),
            ("ses_3fV1StGXR8Z5jdHi6BmyTAbQ", Kind.SESSION_ID),
            ("ada@acme.com", Kind.EMAIL),
            ('{"token": "x"}', Kind.JSON),
            (" ", Kind.EMPTY),
            ("hello", Kind.UNKNOWN),
            ("eyes.only", Kind.UNKNOWN),
        ],
    )
    def test_is_told(self, text: str, kind: Kind) -> None:
        """A text is what it looks like, whatever was copied around it."""
        assert recognise(text).kind is kind

    def test_its_scheme_is_left_out(self, here: Here) -> None:
        """A token with `Bearer` before it is read, and it is said that a body has it alone."""
        inspection = inspect(f"Bearer {FORGE.visitor()}", here)
        assert inspection.verifies
        assert "Bearer" in inspection.found.oddities[0]

    def test_white_space_is_left_out(self, here: Here) -> None:
        """A token that an e-mail broke into lines is read as one, and that is said."""
        token = FORGE.visitor()
        inspection = inspect(f"{token[:60]}\r\n  {token[60:]}", here)
        assert inspection.verifies
        assert inspection.found.oddities == (
            "it was given with white space in it; a server takes it without",
        )

    @pytest.mark.parametrize(
        ("payload", "oddity"),
        [
            ('{"exp": 1, "exp": 2}', "its payload has 'exp' twice; the last one counts"),
            ("[1]", "its payload is no JSON object"),
            ("{", "its payload is not JSON; was it copied whole?"),
            (b'{"sub": "\xff"}', "its payload is not UTF-8"),
            ('{"a":' * 100_000, "its payload is nested too deep"),
            ("[" * 500 + "]" * 500, "its payload is nested too deep"),
            (
                '{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH,
                "its payload is nested too deep",
            ),
        ],
        ids=["twice", "list", "cut", "bytes", "too long", "list too deep", "just too deep"],
    )
    def test_odd_json_is_told(self, payload: str | bytes, oddity: str) -> None:
        """What is strange about a token's JSON is said, and nothing breaks."""
        found = recognise(f"{encoded('{}')}.{encoded(payload)}.{encoded(bytes(64))}")
        if len(payload) > 50_000:
            assert found.kind is Kind.BROKEN_TOKEN
        else:
            assert oddity in found.oddities

    def test_odd_numbers_stay_text(self) -> None:
        """A number that no machine holds is shown as it was written."""
        payload = '{"exp": 1e400, "iat": -Infinity, "nbf": ' + "9" * 5000 + ', "x": 1.5}'
        found = recognise(f"{encoded('{}')}.{encoded(payload)}.{encoded(bytes(64))}")
        assert found.claims == {"exp": "1e400", "iat": "-Infinity", "nbf": "9" * 5000, "x": 1.5}


class TestVerdict:
    """The last word is the verifier's."""

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.verifier}-{v.name}")
    def test_of_the_vectors(self, vector: Vector, here: Here) -> None:
        """Of every known attack it says what the server does, and why."""
        inspection = inspect(vector.token, here)
        token = inspection.found.text  # a line's end or a Bearer around it is left out
        assert bool(inspection.verifies) == accepted(token)
        assert bool(inspection.reasons) != accepted(token)
        assert token in vector.token or inspection.found.oddities
        assert "refused" not in codes(inspection), "no reason of its own"

    @given(
        payload=st.dictionaries(
            st.sampled_from([*SESSION, "exp", "aud", "x"]),
            st.one_of(
                st.sampled_from([*SESSION.values(), VISITOR["aud"], None, True, NOW + 5, "1e400"]),
                st.integers(),
                st.floats(),
                st.text(max_size=5),
                st.lists(st.integers(), max_size=2),
            ),
        ),
        over=st.sampled_from([SESSION, VISITOR, {}]),
        typ=st.sampled_from(["widget-session+jwt", "widget-visitor+jwt"]),
    )
    @example(payload={"iat": -(10**19)}, over=SESSION, typ="widget-session+jwt")
    @example(payload={"iat": -1}, over=VISITOR, typ="widget-visitor+jwt")
    @example(payload={"exp": 2**32}, over=SESSION, typ="widget-session+jwt")
    @example(payload={"exp": 2**32 - 1}, over=SESSION, typ="widget-session+jwt")
    @settings(deadline=None, max_examples=300)
    def test_of_whatever_a_leaked_key_signs(
        self, payload: dict[str, Any], over: dict[str, Any], typ: str
    ) -> None:
        """Of any claims under our own signature it says what the verifier says."""
        token = FORGE.token(FORGE.header(typ), {**over, **payload})
        plain = Registry("r", ISSUER, AUDIENCE, DocumentLimits(), {}, {}, {})
        inspection = inspect(token, Here(KEYS.ours, plain, None, NOW))
        of_token = [code for code in codes(inspection) if code != "unknown_client_key"]
        assert (not of_token) == accepted(token), (of_token, {**over, **payload})

    @given(text=st.one_of(st.text(), st.text("eyJ.{}\"':,[]09aA-_ ")))
    @settings(deadline=None, max_examples=300)
    def test_of_any_text(self, text: str) -> None:
        """Whatever is given, there is an answer."""
        for candidate in (text, f"eyJ{text}", f"{encoded(text.encode('utf-8', 'replace'))}.e30.AA"):
            assert inspect(candidate, Here(KEYS.ours, None, None, NOW)).verifies is False

    @given(
        value=st.recursive(
            st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
            ),
        )
    )
    @settings(deadline=None)
    def test_of_any_json(self, value: Any) -> None:
        """Whatever JSON stands in a header, a claim or a session, there is an answer."""
        part = encoded(json.dumps(value))
        everywhere = encoded(json.dumps({**dict.fromkeys({*SESSION, "began_ms"}, value)}))
        session = encoded(json.dumps({"session": value, "exp": value}))
        sessions = encoded(json.dumps({"session": dict.fromkeys([*SESSION, "began_ms"], value)}))
        nobody = Registry("r", None, AUDIENCE, DocumentLimits(), {}, {}, {})
        here = Here(KEYS.ours, nobody, None, NOW)
        for header in (part, encoded(json.dumps(FORGE.header())), everywhere):
            for payload in (part, everywhere):
                assert inspect(f"{header}.{payload}.{part}", here).verifies is False
        assert inspect(f"{session}.{part}", here).verifies is False
        assert inspect(f"{sessions}.{part}", here).verifies is False


class TestReasons:
    """Each is named, and all of them are."""

    def test_all_at_once(self, here: Here) -> None:
        """A token with many faults is told all of them."""
        token = FORGE.token(
            FORGE.header(kid="k" * 43, jku="https://evil.example"),
            {**VISITOR, "iss": "https://other.example", "exp": NOW - 180, "client_key": "pk_x"},
        )
        inspection = inspect(token, here)
        assert codes(inspection) == [
            "header",
            "unknown_kid",
            "issuer",
            "expired",
            "unknown_client_key",
        ]
        assert "'jku'" in text_of(inspection, "header")
        assert KEYS.ours.newest.kid[:12] in text_of(inspection, "unknown_kid")
        assert "'https://other.example', and this one is 'https://widget" in text_of(
            inspection, "issuer"
        )
        assert text_of(inspection, "expired") == "it ended 3 min ago, 2026-09-21 14:10:20 UTC"

    @pytest.mark.parametrize(
        ("token", "code", "says"),
        [
            (FORGE.session(aud="x:y"), "audience", f"meant for 'x:y', and not for '{AUDIENCE}'"),
            (FORGE.session(iat=NOW + 3700), "future", "1 h 1 min in the future: compare"),
            (FORGE.session()[:-8], "signature", "it has 58 bytes instead of 64; was it copied"),
            (FORGE.session()[:-8] + "AAAAAAAA", "signature", "changed, or somebody forged"),
            (FORGE.session(sub=None), "missing_claim", "it lacks sub"),
            (FORGE.session(jti=7), "type", "its jti is no text"),
            (FORGE.session(exp=NOW + 0.5), "type", "its exp is no whole number of seconds"),
            (FORGE.token(FORGE.header("at+jwt"), SESSION), "typ", "its typ is 'at+jwt'; ours are"),
            (FORGE.hs256(b"x"), "alg", "its alg is 'HS256', and the key it names is for ES256"),
        ],
    )
    def test_each_says_which(self, here: Here, token: str, code: str, says: str) -> None:
        """A reason says what is wrong with what, and what it should be."""
        inspection = inspect(token, here)
        assert codes(inspection) == [code]
        assert says in text_of(inspection, code)

    def test_without_keys(self, registry: Registry) -> None:
        """Without the keys it tells what can be told: a good token's verdict stays open."""
        no_keys = Here(None, registry, None, NOW)
        inspection = inspect(FORGE.visitor(), no_keys)
        assert inspection.verifies is None
        assert inspection.unknown == ("the signing keys",)
        assert codes(inspect(FORGE.visitor(exp=NOW), no_keys)) == ["expired"]

    def test_without_a_file(self) -> None:
        """Without the tenants a forged token is told, and a good one's verdict stays open."""
        no_file = Here(KEYS.ours, None, None, NOW)
        assert inspect(FORGE.visitor(), no_file).verifies is None
        stranger = FORGE.token(FORGE.header(), VISITOR, KEYS.theirs)
        assert codes(inspect(stranger, no_file)) == ["signature"]

    def test_the_issuer_is_the_options_where_the_file_has_none(self, registry: Registry) -> None:
        """The server's --issuer counts where the file names none; unknown, none is compared."""
        nameless = dataclasses.replace(registry, issuer=None)
        assert inspect(FORGE.visitor(), Here(KEYS.ours, nameless, None, NOW)).verifies
        assert inspect(FORGE.visitor(), Here(KEYS.ours, nameless, ISSUER, NOW)).verifies
        other = Here(KEYS.ours, nameless, "https://other.example", NOW)
        assert codes(inspect(FORGE.visitor(), other)) == ["issuer", "audience"]
        assert inspect(
            FORGE.visitor(), Here(KEYS.ours, registry, "https://x.example", NOW)
        ).verifies

    def test_a_secret_key_has_its_owner(self, here: Here) -> None:
        """Of a secret key it tells whose it is, for the one who has to rotate it."""
        owner = inspect(SECRET, here).owner
        assert owner is not None
        assert owner.key.client_key == KEY
        assert inspect(generate_secret_key("acme"), here).owner is None

    def test_nothing_is_shown_in_passing(self, here: Here) -> None:
        """A value of it that would fill the screen, or command it, is cut and escaped."""
        token = FORGE.token(FORGE.header("\x1b[2J" + "x" * 5000), SESSION)
        text = text_of(inspect(token, here), "typ")
        assert len(text) < 300
        assert "\\x1b" in text
        assert "\x1b" not in text


# --- against a real server


def _key(service: Service, index: int = 0) -> dict[str, Any]:
    key: dict[str, Any] = service.document["tenants"]["acme"]["keys"][index]
    return key


def _agents(service: Service) -> dict[str, Any]:
    agents: dict[str, Any] = service.document["tenants"]["acme"]["agents"]
    return agents


def _remove_key(service: Service) -> None:
    del service.document["tenants"]["acme"]["keys"][0]


def _remove_agent(service: Service) -> None:
    del _agents(service)["support"]
    service.document["tenants"]["acme"]["default_agent"] = "account"


def _age(service: Service) -> None:
    service.document["tokens"] = {"user_max_age": "1m"}
    service.clock.move(60)


EDITS: Final[dict[str, tuple[Callable[[Service], object], str, str | None]]] = {
    "nothing": (lambda _: None, "", ""),
    "key removed": (_remove_key, "unknown_client_key", "unknown_client_key"),
    "key disabled": (
        lambda s: _key(s).update(enabled=False),
        "key_disabled",
        "key_disabled",
    ),
    "key ended": (
        lambda s: _key(s).update(not_after="2026-09-21T14:13:20Z"),
        "key_ended",
        "key_ended",
    ),
    "sessions ended": (
        lambda s: _key(s).update(sessions_not_before="2026-09-21T14:13:21Z"),
        "revoked_session",
        "",
    ),
    "agent disabled": (
        lambda s: _agents(s)["support"].update(widget_enabled=False),
        "agent_disabled",
        "agent_disabled",
    ),
    "agent removed": (_remove_agent, "unknown_agent_id", ""),
    "agent for guests": (
        lambda s: _agents(s)["support"].update(auth_mode="guest"),
        "auth_mode_forbidden",
        "auth_mode_forbidden",
    ),
    "another agent pinned": (
        lambda s: _key(s).update(agent_id="account"),
        "agent_disabled",
        "",
    ),
    "origin struck": (
        lambda s: _key(s).update(domain_allowlist=["https://www.acme.com"]),
        "origin_not_allowed",
        None,
    ),
    "sessions shorter": (
        _age,
        "session_ended",
        "",
    ),
}
"""An edit; the reason at a refresh; the reason at an exchange, None where it can't be known."""


@pytest.mark.parametrize(
    ("edit", "at_refresh", "at_exchange"), EDITS.values(), ids=list(EDITS.keys())
)
def test_an_edit_is_seen_as_the_server_sees_it(
    tmp_path: Path,
    edit: Callable[[Service], object],
    at_refresh: str,
    at_exchange: str | None,
) -> None:
    """Whatever was edited, it tells of each token what the server answers to it."""
    service = Service(tmp_path)
    visitor = service.user_token().get_json()["token"]
    session = service.user_session()
    edit(service)
    config = service.settings.config
    config.write_text(
        yaml.safe_dump(service.document)
        .replace("'2026-09-21T14:13:20Z'", "2026-09-21T14:13:20Z")
        .replace("'2026-09-21T14:13:21Z'", "2026-09-21T14:13:21Z")
    )  # a time stands in the file without quotes
    registry = load_registry(config)
    here = Here(read_key_ring(service.settings.instance), registry, None, service.clock.now)

    refresh = inspect(session["refresh_token"], here)
    assert codes(refresh) == ([at_refresh] if at_refresh else [])
    itself = inspect(session["token"], here)
    assert itself.verifies, itself.reasons
    assert [reason.code for reason in itself.at_refresh] == codes(refresh)
    exchange = inspect(visitor, here)
    if at_exchange is not None:
        assert codes(exchange) == ([at_exchange] if at_exchange else [])

    parts_of(service.app).live.reload()
    if at_exchange is not None:
        assert (service.exchange(token=visitor).status_code == 200) == exchange.verifies
    assert (service.refresh(session["refresh_token"]).status_code == 200) == refresh.verifies


def test_a_pinned_session_is_its_own(tmp_path: Path) -> None:
    """A token of another key of the tenant is held against that key."""
    service = Service(tmp_path)
    registry = load_registry(service.settings.config)
    here = Here(read_key_ring(service.settings.instance), registry, None, service.clock.now)
    pinned = service.guest(client_key=PINNED_KEY)
    assert pinned.status_code == 403  # it serves users alone
    guest = service.guest(origin=ORIGIN).get_json()
    for token in (guest["token"], guest["refresh_token"]):
        assert inspect(token, here).verifies
