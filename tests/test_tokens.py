"""Tokens: what is minted comes back whole, and nothing else is taken for it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any, ClassVar, cast

import jwt
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jwt.types import Options

from kataven_flask.signing import (
    KeyRing,
    RefreshSecret,
    generate_private_key_for,
    make_signing_key,
)
from kataven_flask.tokens import (
    CLOCK_SKEW,
    SESSION_TYP,
    VISITOR_TYP,
    BadTokenError,
    RefreshClaims,
    Session,
    SessionClaims,
    TokenExpiredError,
    Tokens,
    VisitorClaims,
)
from tests.support import AUDIENCE, ISSUER, KEY, NOON, ORIGIN
from tests.vectors import JWT_FILE, REFRESH_FILE, Vector, load_keys, load_vectors
from tests.vectors.generate import VISITOR, Forge

NOW = int(NOON)
KEYS = load_keys()
TOKENS = Tokens(KEYS.ours, ISSUER, AUDIENCE)

VISITOR_CLAIMS = VisitorClaims(
    sub="42",
    tenant="acme",
    client_key=KEY,
    jti="vis_1",
    iat=NOW,
    exp=NOW + 300,
    agent_id="support",
    name="Ada Lovelace",
    email="ada@acme.com",
)
USER = Session(
    sid="ses_1",
    sub="42",
    tenant="acme",
    agent_id="support",
    client_key=KEY,
    origin=ORIGIN,
    visitor_type="user",
    began_ms=NOW * 1000,
    name="Ada Lovelace",
    email="ada@acme.com",
    guest_id="guest_1",
)
GUEST = dataclasses.replace(
    USER, sub="guest_1", visitor_type="guest", name=None, email=None, guest_id=None
)
BARE_VISITOR = dataclasses.replace(VISITOR_CLAIMS, agent_id=None, name=None, email=None)
REFRESH_CLAIMS = RefreshClaims(USER, generation=3, iat=NOW, exp=NOW + 86400)


def ring(alg: str = "ES256") -> KeyRing:
    """Return a key ring with a fresh signing key."""
    private_key = generate_private_key_for("EdDSA" if alg == "EdDSA" else "ES256")
    return KeyRing((make_signing_key(private_key),), (RefreshSecret(b"r" * 32),))


def payload_of(token: str) -> dict[str, Any]:
    """Read a JWT's payload as a stranger may: without a key."""
    claims: dict[str, Any] = json.loads(decoded(token.split(".")[1]))
    return claims


def decoded(part: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def name_of(vector: Vector) -> str:
    """Name a case by its vector."""
    return f"{vector.verifier}-{vector.name}".replace(" ", "-")


def verify(vector: Vector) -> object:
    """Show a token to the verifier that it attacks."""
    match vector.verifier:
        case "visitor":
            return TOKENS.verify_visitor(vector.token, NOW)
        case "session":
            return TOKENS.verify_session(vector.token, NOW)
        case _:
            return TOKENS.verify_refresh(vector.token)


class TestVectors:
    """The fixed tokens of `tests/vectors`."""

    @pytest.mark.parametrize(
        "vector",
        [v for v in load_vectors(JWT_FILE) + load_vectors(REFRESH_FILE) if v.verdict == "good"],
        ids=name_of,
    )
    def test_good_tokens_pass(self, vector: Vector) -> None:
        """The token that the hostile ones were made from is taken."""
        assert verify(vector) is not None

    @pytest.mark.parametrize(
        "vector", [v for v in load_vectors(JWT_FILE) if v.verdict == "expired"], ids=name_of
    )
    def test_expired_tokens_are_told_apart(self, vector: Vector) -> None:
        """A token whose time is over is refused as expired, so that the caller mints anew."""
        with pytest.raises(TokenExpiredError):
            verify(vector)

    @pytest.mark.parametrize(
        "vector",
        [v for v in load_vectors(JWT_FILE) + load_vectors(REFRESH_FILE) if v.verdict == "bad"],
        ids=name_of,
    )
    def test_hostile_tokens_are_refused(self, vector: Vector) -> None:
        """A hostile token is refused with a reason that repeats nothing of it."""
        with pytest.raises(BadTokenError) as refusal:
            verify(vector)
        assert not isinstance(refusal.value, TokenExpiredError)
        parts = [part for part in vector.token.split(".") if len(part) > 8]
        assert not any(part in str(refusal.value) for part in parts)

    def test_they_are_what_the_generator_makes(self) -> None:
        """The refresh tokens on disk, which no randomness goes into, can be made again."""
        minted = {v.name: v.token for v in load_vectors(REFRESH_FILE)}
        assert TOKENS.mint_refresh(REFRESH_CLAIMS_OF_VECTORS) == minted["a refresh token"]


REFRESH_CLAIMS_OF_VECTORS = RefreshClaims(
    dataclasses.replace(USER, name="Ada", email="ada@acme.com", guest_id=None),
    generation=3,
    iat=NOW,
    exp=NOW + 86400,
)


class TestVisitor:
    """Visitor tokens."""

    @pytest.mark.parametrize("claims", [VISITOR_CLAIMS, BARE_VISITOR], ids=["full", "bare"])
    def test_comes_back_whole(self, claims: VisitorClaims) -> None:
        """What the backend vouched for is what the exchange reads."""
        assert TOKENS.verify_visitor(TOKENS.mint_visitor(claims), NOW) == claims

    def test_claims(self) -> None:
        """It has the promised claims, and the exchange as its one audience."""
        assert payload_of(TOKENS.mint_visitor(BARE_VISITOR)) == {
            "iss": ISSUER,
            "aud": f"{ISSUER}/api/v1/widget/auth/exchange",
            "sub": "42",
            "tenant": "acme",
            "client_key": KEY,
            "jti": "vis_1",
            "iat": NOW,
            "exp": NOW + 300,
        }

    @pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
    def test_header(self, alg: str) -> None:
        """Its header names the key's algorithm, the key and the type, and nothing else."""
        keys = ring(alg=alg)
        token = Tokens(keys, ISSUER, AUDIENCE).mint_visitor(VISITOR_CLAIMS)
        header = jwt.get_unverified_header(token)
        assert header == {"alg": alg, "kid": keys.newest.kid, "typ": VISITOR_TYP}

    def test_longest_user_fits(self) -> None:
        """A user at every promised limit, in the widest characters, gets tokens that work."""
        smile = "\N{GRINNING FACE}"
        who: dict[str, Any] = {"sub": smile * 256, "name": smile * 256, "email": smile * 320}
        claims = dataclasses.replace(VISITOR_CLAIMS, **who)
        session = dataclasses.replace(USER, **who)
        refresh = dataclasses.replace(REFRESH_CLAIMS, session=session)
        token = TOKENS.mint_session(SessionClaims(session, "tok_1", NOW, NOW + 600))
        assert TOKENS.verify_session(token, NOW).session == session
        assert TOKENS.verify_refresh(TOKENS.mint_refresh(refresh)) == refresh
        assert TOKENS.verify_visitor(TOKENS.mint_visitor(claims), NOW) == claims

    def test_of_another_server(self) -> None:
        """A token of a server with other keys says so."""
        token = Tokens(ring(), ISSUER, AUDIENCE).mint_visitor(VISITOR_CLAIMS)
        with pytest.raises(BadTokenError, match="no key of this server"):
            TOKENS.verify_visitor(token, NOW)

    def test_of_another_address(self) -> None:
        """A token minted under another issuer by the same key is refused."""
        token = Tokens(KEYS.ours, "https://old.example.com", AUDIENCE).mint_visitor(VISITOR_CLAIMS)
        with pytest.raises(BadTokenError):
            TOKENS.verify_visitor(token, NOW)

    @pytest.mark.parametrize(
        ("late", "error"),
        [(-1, None), (0, TokenExpiredError), (1, TokenExpiredError)],
        ids=["a second before its end", "at its end", "a second after its end"],
    )
    def test_ends_on_time(self, late: int, error: type[Exception] | None) -> None:
        """It is taken until its last second and no longer."""
        token = TOKENS.mint_visitor(VISITOR_CLAIMS)
        if error is None:
            assert TOKENS.verify_visitor(token, VISITOR_CLAIMS.exp + late)
        else:
            with pytest.raises(error):
                TOKENS.verify_visitor(token, VISITOR_CLAIMS.exp + late)

    def test_tolerates_another_hosts_clock(self) -> None:
        """It is taken from a server whose clock is ahead by no more than the promised skew."""
        token = TOKENS.mint_visitor(VISITOR_CLAIMS)
        assert TOKENS.verify_visitor(token, NOW - CLOCK_SKEW)
        with pytest.raises(BadTokenError, match="clocks"):
            TOKENS.verify_visitor(token, NOW - CLOCK_SKEW - 1)

    @given(text=st.text(max_size=200))
    @hypothesis_settings(deadline=None)
    def test_any_text_is_refused_in_order(self, text: str) -> None:
        """Whatever is sent in its place is refused, never a fault."""
        with pytest.raises(BadTokenError):
            TOKENS.verify_visitor(text, NOW)

    @given(position=st.integers(min_value=0), character=st.characters(codec="ascii"))
    @hypothesis_settings(deadline=None)
    def test_no_character_can_be_changed(self, position: int, character: str) -> None:
        """A good token with one character changed says nothing else than before."""
        token = Forge(KEYS).visitor()
        at = position % len(token)
        changed = token[:at] + character + token[at + 1 :]
        try:
            claims = TOKENS.verify_visitor(changed, NOW)
        except BadTokenError:
            return
        assert claims == TOKENS.verify_visitor(token, NOW)


class TestSession:
    """Session tokens."""

    @pytest.mark.parametrize("session", [USER, GUEST], ids=["user", "guest"])
    def test_comes_back_whole(self, session: Session) -> None:
        """Who was signed in is who is read."""
        claims = SessionClaims(session, "tok_1", NOW, NOW + 600)
        assert TOKENS.verify_session(TOKENS.mint_session(claims), NOW) == claims

    def test_claims_of_a_user(self) -> None:
        """A user's token has the promised claims and no others."""
        token = TOKENS.mint_session(SessionClaims(USER, "tok_1", NOW + 60, NOW + 660))
        assert payload_of(token) == {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "42",
            "iat": NOW + 60,
            "exp": NOW + 660,
            "jti": "tok_1",
            "sid": "ses_1",
            "tenant": "acme",
            "agent_id": "support",
            "client_key": KEY,
            "origin": ORIGIN,
            "visitor_type": "user",
            "name": "Ada Lovelace",
            "email": "ada@acme.com",
            "guest_id": "guest_1",
            "auth_time": NOW,
        }

    def test_claims_of_a_guest(self) -> None:
        """A guest's token has no name, no e-mail address and no earlier guest, not even null."""
        payload = payload_of(TOKENS.mint_session(SessionClaims(GUEST, "tok_1", NOW, NOW + 600)))
        assert not {"name", "email", "guest_id"} & payload.keys()
        assert payload["visitor_type"] == "guest"

    def test_type(self) -> None:
        """Its type is its own."""
        token = TOKENS.mint_session(SessionClaims(USER, "tok_1", NOW, NOW + 600))
        assert jwt.get_unverified_header(token)["typ"] == SESSION_TYP

    def test_older_key_still_verifies(self) -> None:
        """After a rotation the new key signs, and tokens of the old one go on to their end."""
        old = ring()
        token = Tokens(old, ISSUER, AUDIENCE).mint_session(
            SessionClaims(USER, "tok_1", NOW, NOW + 600)
        )
        newer = make_signing_key(generate_private_key_for("EdDSA"))
        rotated = Tokens(KeyRing((*old.signing_keys, newer), old.refresh_secrets), ISSUER, AUDIENCE)
        assert rotated.verify_session(token, NOW).session == USER
        minted = rotated.mint_session(SessionClaims(USER, "tok_2", NOW, NOW + 600))
        assert jwt.get_unverified_header(minted)["alg"] == "EdDSA"
        assert rotated.verify_session(minted, NOW).jti == "tok_2"

    def test_no_key_signs_for_anothers_algorithm(self) -> None:
        """A token that names one of our keys and another of our algorithms is refused."""
        es256, eddsa = ring().newest, ring(alg="EdDSA").newest
        both = Tokens(KeyRing((es256, eddsa), (RefreshSecret(b"r" * 32),)), ISSUER, AUDIENCE)
        headers = {"kid": es256.kid, "typ": VISITOR_TYP}
        token = jwt.encode(VISITOR, eddsa.private_key, algorithm="EdDSA", headers=headers)
        with pytest.raises(BadTokenError):
            both.verify_visitor(token, NOW)


class TestSignature:
    """Who signed a JWT, whatever it says: to explain a refusal."""

    @pytest.mark.parametrize(
        "token",
        [
            Forge(KEYS).visitor(exp=NOW - 1),
            Forge(KEYS).session(aud="another"),
            Forge(KEYS).token(Forge(KEYS).header("JWT"), {}),
        ],
        ids=["ended", "for another", "of no type of ours"],
    )
    def test_is_told_apart_from_the_rest(self, token: str) -> None:
        """What our key signed is known as such, though no verifier takes it."""
        assert TOKENS.is_signed(token)
        with pytest.raises(BadTokenError):
            TOKENS.verify_session(token, NOW)

    @pytest.mark.parametrize(
        "token",
        [
            Forge(KEYS).token(Forge(KEYS).header(), VISITOR, KEYS.theirs),
            Forge(KEYS).token(Forge(KEYS).header(kid="nobody"), VISITOR),
            Forge(KEYS).visitor()[:-4],
            Forge(KEYS).hs256(Forge(KEYS).public_pem),
            "",
            "a.b.c",
        ],
        ids=["a stranger's", "no key", "cut", "HS256", "empty", "no JWT"],
    )
    def test_of_anybody_else(self, token: str) -> None:
        """What our key didn't sign is not taken for signed."""
        assert not TOKENS.is_signed(token)


class TestRefresh:
    """Refresh tokens."""

    @pytest.mark.parametrize("session", [USER, GUEST], ids=["user", "guest"])
    def test_comes_back_whole(self, session: Session) -> None:
        """The session's identity and its generation survive every refresh."""
        claims = dataclasses.replace(REFRESH_CLAIMS, session=session)
        assert TOKENS.verify_refresh(TOKENS.mint_refresh(claims)) == claims

    def test_same_claims_same_token(self) -> None:
        """A second tab that renews within the grace gets the very token that the first got."""
        assert TOKENS.mint_refresh(REFRESH_CLAIMS) == TOKENS.mint_refresh(REFRESH_CLAIMS)

    def test_other_generation_other_token(self) -> None:
        """A rotation gives a token of its own."""
        later = dataclasses.replace(REFRESH_CLAIMS, generation=4)
        assert TOKENS.mint_refresh(REFRESH_CLAIMS) != TOKENS.mint_refresh(later)

    def test_older_secret_still_verifies(self) -> None:
        """After a rotation of the secrets, tokens signed before are still taken."""
        old, new = RefreshSecret(b"o" * 32), RefreshSecret(b"n" * 32)
        keys = ring()
        before = Tokens(KeyRing(keys.signing_keys, (old,)), ISSUER, AUDIENCE)
        after = Tokens(KeyRing(keys.signing_keys, (old, new)), ISSUER, AUDIENCE)
        assert after.verify_refresh(before.mint_refresh(REFRESH_CLAIMS)) == REFRESH_CLAIMS

    def test_newest_secret_signs(self) -> None:
        """Once the old secret is dropped, what was signed since the rotation lives on."""
        old, new = RefreshSecret(b"o" * 32), RefreshSecret(b"n" * 32)
        keys = ring()
        both = Tokens(KeyRing(keys.signing_keys, (old, new)), ISSUER, AUDIENCE)
        new_alone = Tokens(KeyRing(keys.signing_keys, (new,)), ISSUER, AUDIENCE)
        old_alone = Tokens(KeyRing(keys.signing_keys, (old,)), ISSUER, AUDIENCE)
        token = both.mint_refresh(REFRESH_CLAIMS)
        assert new_alone.verify_refresh(token) == REFRESH_CLAIMS
        with pytest.raises(BadTokenError):
            old_alone.verify_refresh(token)

    @given(text=st.text(max_size=200))
    @hypothesis_settings(deadline=None)
    def test_any_text_is_refused_in_order(self, text: str) -> None:
        """Whatever is sent in its place is refused, never a fault."""
        with pytest.raises(BadTokenError):
            TOKENS.verify_refresh(text)

    def test_is_text_for_a_header_or_a_body(self) -> None:
        """It is made of characters that JSON and HTTP carry as they are."""
        assert set(TOKENS.mint_refresh(REFRESH_CLAIMS)) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
        )


@pytest.mark.parametrize(
    "claims",
    [VISITOR_CLAIMS, USER, REFRESH_CLAIMS, SessionClaims(USER, "tok_1", NOW, NOW + 600)],
    ids=lambda claims: type(claims).__name__,
)
def test_claims_keep_persons_out_of_logs(claims: object) -> None:
    """Claims that reach a log by mistake show neither the user's id, nor name, nor address."""
    shown = repr(claims)
    assert "Ada" not in shown
    assert "ada@" not in shown
    assert "'42'" not in shown


class TestPyJWTBackstop:
    """What PyJWT is trusted for; an upgrade that changes any of it must not go unseen."""

    PUBLIC = KEYS.ours.newest.private_key.public_key()
    OPTIONS: ClassVar[Options] = {
        "require": ["exp", "jti"],
        "strict_aud": True,
        "verify_exp": False,
    }

    def decode(self, token: str, **options: Any) -> dict[str, Any]:
        """Decode as the package does, with options laid over."""
        claims: dict[str, Any] = jwt.decode(
            token,
            key=self.PUBLIC,
            algorithms=["ES256"],
            audience=VISITOR["aud"],
            issuer=ISSUER,
            options=cast("Options", {**self.OPTIONS, **options}),
        )
        return claims

    def test_a_good_token_passes(self) -> None:
        """The token that the others are made from passes."""
        assert self.decode(Forge(KEYS).visitor())["sub"] == "42"

    @pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "ES384", "EdDSA", "es256"])
    def test_pins_the_algorithm(self, alg: str) -> None:
        """It takes no algorithm that the call doesn't list, whatever the header says."""
        forge = Forge(KEYS)
        with pytest.raises(jwt.InvalidAlgorithmError):
            self.decode(forge.token(forge.header(alg=alg), VISITOR))

    def test_compares_the_signature(self) -> None:
        """It takes no other key's signature."""
        forge = Forge(KEYS)
        with pytest.raises(jwt.InvalidSignatureError):
            self.decode(forge.token(forge.header(), VISITOR, KEYS.theirs))

    def test_takes_no_signature_of_zeros(self) -> None:
        """It takes no ECDSA signature of zeros, which fits every text where it isn't looked at."""
        header, payload, _ = Forge(KEYS).visitor().split(".")
        with pytest.raises(jwt.InvalidSignatureError):
            self.decode(f"{header}.{payload}.{'A' * 86}")

    def test_makes_no_hmac_of_a_public_key(self) -> None:
        """It refuses to use a public key's PEM as an HMAC secret."""
        with pytest.raises(jwt.InvalidKeyError):
            jwt.encode(VISITOR, Forge(KEYS).public_pem, algorithm="HS256")

    @pytest.mark.parametrize(
        "audience",
        [[VISITOR["aud"]], "", [], VISITOR["aud"] + "/", None],
        ids=["list", "empty", "empty list", "longer", "null"],
    )
    def test_wants_the_one_audience(self, audience: object) -> None:
        """It takes the audience as one text alone, exactly."""
        with pytest.raises(jwt.InvalidTokenError):
            self.decode(Forge(KEYS).visitor(aud=audience))

    @pytest.mark.parametrize(
        "issuer",
        [ISSUER[:-1], ISSUER + "/", ISSUER.upper(), [ISSUER], None],
        ids=["shorter", "longer", "upper case", "list", "null"],
    )
    def test_wants_the_issuer_exactly(self, issuer: object) -> None:
        """It takes no part of the issuer for the issuer."""
        with pytest.raises(jwt.InvalidTokenError):
            self.decode(Forge(KEYS).visitor(iss=issuer))

    @pytest.mark.parametrize("claim", ["exp", "jti"])
    @pytest.mark.parametrize("absent", [True, False], ids=["absent", "null"])
    def test_requires_what_it_is_told_to(self, claim: str, *, absent: bool) -> None:
        """It refuses a token that lacks a required claim, or has it as null."""
        payload = {name: value for name, value in VISITOR.items() if name != claim}
        forge = Forge(KEYS)
        with pytest.raises(jwt.MissingRequiredClaimError):
            self.decode(
                forge.token(forge.header(), payload if absent else {**VISITOR, claim: None})
            )

    def test_requires_nothing_by_itself(self) -> None:
        """It lets a token without `exp` pass where it isn't told: so it is always told."""
        payload = {name: value for name, value in VISITOR.items() if name != "exp"}
        forge = Forge(KEYS)
        assert self.decode(forge.token(forge.header(), payload), require=[])["sub"] == "42"

    @pytest.mark.parametrize("claim", ["sub", "jti"])
    def test_wants_ids_as_text(self, claim: str) -> None:
        """It refuses a subject or an id that isn't text."""
        with pytest.raises(jwt.InvalidTokenError):
            self.decode(Forge(KEYS).visitor(**{claim: 42}))

    def test_looks_at_no_type(self) -> None:
        """It doesn't look at `typ`: the package does."""
        forge = Forge(KEYS)
        assert self.decode(forge.token(forge.header(typ="anything"), VISITOR))

    def test_fetches_no_key(self) -> None:
        """It takes no key out of the token's own header."""
        forge = Forge(KEYS)
        theirs = dict(make_signing_key(KEYS.theirs).public_jwk)
        with pytest.raises(jwt.InvalidSignatureError):
            self.decode(forge.token(forge.header(jwk=theirs), VISITOR, KEYS.theirs))

    def test_unverified_header_needs_a_text_kid(self) -> None:
        """It refuses a key id that isn't text, before any look-up."""
        forge = Forge(KEYS)
        with pytest.raises(jwt.InvalidTokenError):
            jwt.get_unverified_header(forge.token(forge.header(kid=7), VISITOR))
