"""The key ring: which key signs when, what can go, and what is published of it."""

from __future__ import annotations

import base64
import hashlib
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kataven_flask import verify
from kataven_flask.errors import ConfigurationError
from kataven_flask.signing import (
    JWKS_MAX_AGE,
    LEAD,
    REFRESH_SECRET_KEPT,
    SIGNING_KEY_KEPT,
    Algorithm,
    KeyRing,
    RefreshSecret,
    SigningKey,
    State,
    generate_private_key_for,
    make_pair,
    make_signing_key,
)
from kataven_flask.tenants import TokenPolicy
from kataven_flask.tokens import CLOCK_SKEW
from tests.support import NOON

ALGORITHMS: list[Algorithm] = ["ES256", "EdDSA"]
NOW = int(NOON)
SEEN_LATE = 60
"""Seconds that a host may see a change late over a network file system."""


def lists_of(
    *pairs: tuple[SigningKey, RefreshSecret],
) -> tuple[tuple[SigningKey, ...], tuple[RefreshSecret, ...]]:
    """Turn pairs into the two lists of a ring."""
    return tuple(key for key, _ in pairs), tuple(secret for _, secret in pairs)


def ring_of(*signs_from: int) -> KeyRing:
    """Return a ring of pairs, oldest to newest, by when they begin to sign."""
    return KeyRing(*lists_of(*(make_pair("EdDSA", at) for at in signs_from)))


def places(ring: KeyRing, left: KeyRing) -> tuple[list[int], list[int]]:
    """Tell which keys and which secrets of a ring are left."""
    return (
        [ring.signing_keys.index(key) for key in left.signing_keys],
        [ring.refresh_secrets.index(secret) for secret in left.refresh_secrets],
    )


def states(ring: KeyRing, now: float) -> list[State]:
    """Return what each signing key does."""
    return [s.state for s in ring.standings(now) if isinstance(s.entry, SigningKey)]


class TestWhoSigns:
    """One key and one secret at a time."""

    @pytest.mark.parametrize(
        ("signs_from", "at", "place"),
        [
            ([100], 100, 0),
            ([100], 0, 0),
            ([100, 200], 50, 0),
            ([100, 200], 199, 0),
            ([100, 200], 199.999, 0),
            ([100, 200], 200, 1),
            ([100, 200, 300], 10**9, 2),
            ([100, 900, 200], 199, 0),
            ([100, 900, 200], 200, 2),
            ([100, 900, 200], 900, 2),
            ([100, 100, 100], 100, 2),
            ([500, 100], 100, 1),
            ([500, 100], 500, 1),
        ],
        ids=str,
    )
    def test_the_newest_that_has_begun(self, signs_from: list[int], at: float, place: int) -> None:
        """The newest one whose time has come signs; before all of them, the oldest does."""
        ring = ring_of(*signs_from)
        assert ring.signing_key(at) is ring.signing_keys[place]
        assert ring.refresh_secret(at) is ring.refresh_secrets[place]

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_all_verify(self, place: int) -> None:
        """Every key is found by its id and published, the one that doesn't sign yet too."""
        ring = ring_of(0, NOW, NOW + LEAD)
        key = ring.signing_keys[place]
        assert ring.find(key.kid) is key
        assert ring.jwks()["keys"][place]["kid"] == key.kid

    @pytest.mark.parametrize("kid", ["", "nobody", None, 7, ["a"], "../keyring.json"], ids=repr)
    def test_an_unknown_kid(self, kid: object) -> None:
        """An id that no key has, of whatever type, finds none."""
        assert ring_of(0).find(kid) is None


class TestRotation:
    """A new key, announced before it signs."""

    def test_is_published_before_it_signs(self) -> None:
        """The new key is in the JWKS at once, and signs to the second when its time has come."""
        old = ring_of(0)
        ring = old.rotated(NOW)
        assert [key["kid"] for key in ring.jwks()["keys"]] == [old.newest.kid, ring.newest.kid]
        assert ring.signing_key(NOW + LEAD - 1) is old.newest
        assert ring.signing_key(NOW + LEAD) is ring.newest
        assert ring.refresh_secret(NOW + LEAD - 1) is old.refresh_secrets[0]
        assert ring.refresh_secret(NOW + LEAD) is ring.refresh_secrets[1]
        assert states(ring, NOW) == ["signs", "waits"]

    def test_waits_for_every_verifier(self) -> None:
        """The wait covers a cache on the way, the verifier's own, a late host and its clock."""
        assert LEAD >= 2 * JWKS_MAX_AGE + SEEN_LATE + 2 * CLOCK_SKEW

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_keeps_the_algorithm(self, alg: Algorithm) -> None:
        """A new key is for the algorithm of the newest, unless another is asked for."""
        ring = KeyRing(*lists_of(make_pair(alg, 0)))
        assert ring.rotated(NOW).newest.alg == alg
        assert ring.rotated(NOW, "EdDSA").newest.alg == "EdDSA"

    @pytest.mark.parametrize("now", [NOW, NOW + LEAD - 1])
    def test_twice_is_refused(self, now: int) -> None:
        """While a new key waits for its time, another rotation is refused, and says until when."""
        ring = ring_of(0).rotated(NOW)
        with pytest.raises(ConfigurationError, match=r"signs from 2026-09-21 14:29 UTC on"):
            ring.rotated(now)
        assert len(ring.rotated(NOW + LEAD).signing_keys) == 3

    def test_at_once(self) -> None:
        """In haste the new key signs now, also where another one waits, which then never does."""
        ring = ring_of(0).rotated(NOW).rotated(NOW + 5, at_once=True)
        for at in (NOW + 5, NOW + LEAD, NOW + 10 * LEAD):
            assert ring.signing_key(at) is ring.newest
            assert ring.refresh_secret(at) is ring.refresh_secrets[-1]
        assert states(ring, NOW + 5) == ["verifies", "verifies", "signs"]

    def test_at_once_twice_in_a_second(self) -> None:
        """Of two keys made in haste at the same time, the second one signs."""
        ring = ring_of(0).rotated(NOW, at_once=True).rotated(NOW, at_once=True)
        assert ring.signing_key(NOW) is ring.signing_keys[2]

    def test_after_the_clock_was_put_back(self) -> None:
        """A key made in haste signs even where the clock says that the others are of tomorrow."""
        ring = ring_of(NOW).rotated(NOW - 3600, at_once=True)
        assert ring.signing_key(NOW - 3600) is ring.newest
        assert ring.signing_key(NOW) is ring.newest

    def test_another_revision(self) -> None:
        """A ring that was changed has another revision; the same one has the same."""
        ring = ring_of(0)
        assert ring.revision == KeyRing(ring.signing_keys, ring.refresh_secrets).revision
        assert ring.revision != ring.rotated(NOW).revision


class TestPruning:
    """What signed nothing that could still be alive can go."""

    @pytest.mark.parametrize(
        ("late", "keys", "secrets"),
        [
            (0, [0, 1], [0, 1]),
            (SIGNING_KEY_KEPT - 1, [0, 1], [0, 1]),
            (SIGNING_KEY_KEPT, [1], [0, 1]),
            (REFRESH_SECRET_KEPT - 1, [1], [0, 1]),
            (REFRESH_SECRET_KEPT, [1], [1]),
            (10 * REFRESH_SECRET_KEPT, [1], [1]),
        ],
    )
    def test_to_the_second(self, late: int, keys: list[int], secrets: list[int]) -> None:
        """A key goes when its last token is dead, counted from when the next began to sign."""
        ring = ring_of(0, NOW)
        assert places(ring, ring.pruned(NOW + late)) == (keys, secrets)

    @pytest.mark.parametrize("now", [NOW, NOW + LEAD - 1, NOW + LEAD + SIGNING_KEY_KEPT - 1])
    def test_nothing_goes_after_a_rotation(self, now: int) -> None:
        """Neither the key that signs nor the one that waits nor the one before goes too early."""
        ring = ring_of(0).rotated(NOW)
        assert ring.pruned(now).revision == ring.revision

    def test_alone(self) -> None:
        """The only key stays, however old."""
        ring = ring_of(0)
        assert ring.pruned(NOW).revision == ring.revision

    def test_one_that_never_signed(self) -> None:
        """A key that was overtaken while it waited goes with those before it."""
        ring = ring_of(0).rotated(NOW).rotated(NOW, at_once=True)
        assert places(ring, ring.pruned(NOW + SIGNING_KEY_KEPT))[0] == [2]

    @given(
        signs_from=st.lists(st.integers(0, 5000), min_size=1, max_size=6),
        now=st.integers(0, 10_000),
        later=st.integers(0, 10_000),
    )
    @hypothesis_settings(deadline=None, max_examples=50)
    def test_never_changes_who_signs(self, signs_from: list[int], now: int, later: int) -> None:
        """Pruning takes the oldest alone, and none that signs now, later, or did lately."""
        ring = ring_of(*signs_from)
        left = ring.pruned(now)
        assert ring.signing_keys[-len(left.signing_keys) :] == left.signing_keys
        assert left.signing_key(now + later) is ring.signing_key(now + later)
        for at in range(max(0, now - SIGNING_KEY_KEPT + 1), now, 97):
            assert left.find(ring.signing_key(at).kid) is not None

    def test_outlives_the_longest_token(self) -> None:
        """It is kept as long as the file may let a token live, a late host and clocks on top."""
        spread = SEEN_LATE + 2 * CLOCK_SKEW + verify.CLOCK_SKEW
        assert _longest("session_ttl") + spread <= SIGNING_KEY_KEPT
        assert _longest("visitor_ttl") + spread <= SIGNING_KEY_KEPT
        assert _longest("refresh_ttl") + spread <= REFRESH_SECRET_KEPT


def _longest(name: str) -> int:
    """Find the longest lifetime that the tenants' file takes, in seconds."""
    minutes = 0
    try:
        while True:
            minutes += 1
            TokenPolicy.model_validate({name: f"{minutes}m"})
    except ValidationError:
        return (minutes - 1) * 60


class TestALeak:
    """A key that somebody else has."""

    def test_takes_what_is_older_too(self) -> None:
        """Who has a copy of the ring has all that was in it: that goes, and the newer ones stay."""
        ring = ring_of(0, 100, 200, NOW)
        left = ring.without_leaked(ring.signing_keys[1].kid, NOW)
        assert places(ring, left) == ([2, 3], [2, 3])

    def test_of_all(self) -> None:
        """All are replaced in one step, by a pair that signs at once, for the same algorithm."""
        ring = KeyRing(*lists_of(make_pair("ES256", 0))).rotated(NOW)
        left = ring.replaced(NOW)
        assert left.signing_key(NOW) is left.newest
        assert not {entry.id for entry in ring.entries} & {entry.id for entry in left.entries}
        assert len(left.entries) == 2
        assert (left.newest.alg, ring.replaced(NOW, "EdDSA").newest.alg) == ("ES256", "EdDSA")

    def test_is_named_by_its_secret_too(self) -> None:
        """A secret lives on for a month after its key went; it is named by its own id."""
        ring = ring_of(0, 100, 200, NOW)
        ring = KeyRing(ring.signing_keys[3:], ring.refresh_secrets)
        left = ring.without_leaked(ring.refresh_secrets[2].id[:12], NOW)
        assert places(ring, left) == ([0], [3])

    def test_with_one_that_waits(self) -> None:
        """A key that waits leaks with the one that signs; both go once a third signs."""
        ring = ring_of(0).rotated(NOW).rotated(NOW, at_once=True)
        assert places(ring, ring.without_leaked(ring.signing_keys[1].kid, NOW)) == ([2], [2])

    @pytest.mark.parametrize("place", [0, 1])
    def test_the_one_that_signs(self, place: int) -> None:
        """The key that signs isn't removed, nor what leaves none that does: rotate at once."""
        ring = ring_of(0).rotated(NOW)
        with pytest.raises(ConfigurationError, match="rotate --leaked"):
            ring.without_leaked(ring.signing_keys[place].kid, NOW)
        with pytest.raises(ConfigurationError, match="rotate --leaked"):
            ring.without_leaked(ring.refresh_secrets[place].id, NOW)

    @pytest.mark.parametrize("leaked", ["", "nobody-here", "x" * 43])
    def test_an_unknown_id(self, leaked: str) -> None:
        """An id that nothing has is told so, with where to look."""
        with pytest.raises(ConfigurationError, match="signing-keys list"):
            ring_of(0, NOW).without_leaked(leaked, NOW)

    def test_an_id_too_short(self) -> None:
        """Nothing is removed by a few characters that fit by chance."""
        ring = ring_of(0, NOW)
        with pytest.raises(ConfigurationError, match="8 or more"):
            ring.without_leaked(ring.signing_keys[0].kid[:7], NOW)


class TestPublicKeys:
    """The JWKS, by which a `/connect` service verifies."""

    @pytest.mark.parametrize(
        ("alg", "members"),
        [
            ("ES256", {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"}),
            ("EdDSA", {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"}),
        ],
    )
    def test_members(self, alg: Algorithm, members: dict[str, str]) -> None:
        """A key says its type, its curve, its algorithm and its use (RFC 7518, RFC 8037)."""
        key = make_signing_key(generate_private_key_for(alg))
        assert members.items() <= key.public_jwk.items()
        assert key.public_jwk["kid"] == key.kid

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_nothing_private(self, alg: Algorithm) -> None:
        """No private member is published (RFC 7518, sections 6.2.2 and 6.3.2; RFC 8037, 2)."""
        ring = KeyRing(*lists_of(make_pair(alg, NOW)))
        published = json.dumps(ring.jwks())
        (key,) = ring.jwks()["keys"]
        assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"} | (
            {"y"} if alg == "ES256" else set()
        )
        secret = base64.urlsafe_b64encode(_private_number(ring)).rstrip(b"=").decode()
        assert secret not in published
        assert ring.refresh_secrets[0].secret.hex() not in published

    @pytest.mark.parametrize("alg", ALGORITHMS)
    def test_are_read_by_pyjwt(self, alg: Algorithm) -> None:
        """Another library reads the published key as the one that signs."""
        key = make_signing_key(generate_private_key_for(alg))
        token = jwt.encode({"a": 1}, key.private_key, algorithm=alg)
        read = jwt.PyJWK.from_dict(dict(key.public_jwk))
        assert jwt.decode(token, read, algorithms=[alg]) == {"a": 1}

    @pytest.mark.parametrize("attempt", range(8))
    def test_coordinates_have_their_full_length(self, attempt: int) -> None:
        """A coordinate that begins with zeros keeps them (RFC 7518, section 6.2.1.2)."""
        small = ec.derive_private_key(_SMALL_X[attempt % len(_SMALL_X)], ec.SECP256R1())
        jwk = make_signing_key(small).public_jwk
        for name in ("x", "y"):
            assert len(base64.urlsafe_b64decode(jwk[name] + "=")) == 32

    @pytest.mark.parametrize(
        ("alg", "names"), [("ES256", ["crv", "kty", "x", "y"]), ("EdDSA", ["crv", "kty", "x"])]
    )
    def test_kid_is_the_thumbprint(self, alg: Algorithm, names: list[str]) -> None:
        """A key's id is its RFC 7638 thumbprint, so that anybody can make it again."""
        key = make_signing_key(generate_private_key_for(alg))
        canonical = "{" + ",".join(f'"{n}":"{key.public_jwk[n]}"' for n in names) + "}"
        digest = hashlib.sha256(canonical.encode()).digest()
        assert key.kid == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def test_kid_of_the_rfc(self) -> None:
        """The key of RFC 8037, appendix A, has the thumbprint that stands there."""
        raw = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
        key = make_signing_key(ed25519.Ed25519PrivateKey.from_private_bytes(raw))
        assert key.public_jwk["x"] == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

    def test_nothing_changes_them(self) -> None:
        """What one request is given isn't what the next one gets changed."""
        ring = ring_of(0)
        ring.jwks()["keys"][0]["kid"] = "evil"
        ring.jwks()["keys"].clear()
        assert ring.jwks()["keys"][0]["kid"] == ring.newest.kid


def _private_number(ring: KeyRing) -> bytes:
    private_key = ring.newest.private_key
    if isinstance(private_key, ed25519.Ed25519PrivateKey):
        return private_key.private_bytes_raw()
    return private_key.private_numbers().private_value.to_bytes(32)


def _with_zeros() -> list[int]:
    """Find private numbers whose public point has a coordinate that begins with a zero."""
    found = []
    for number in range(1, 2000):
        point = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
        if min(point.x, point.y) >> 248 == 0:
            found.append(number)
    return found


_SMALL_X = _with_zeros()


def test_nothing_secret_is_shown() -> None:
    """A ring that reaches a log by mistake shows its key's id, and nothing secret."""
    ring = ring_of(0)
    shown = repr(ring) + repr(ring.newest) + repr(ring.refresh_secrets) + repr(ring.standings(NOW))
    assert ring.newest.kid in shown
    assert ring.refresh_secrets[0].secret.hex() not in shown
    assert repr(ring.refresh_secrets[0].secret) not in shown
