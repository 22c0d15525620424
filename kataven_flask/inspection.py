"""Why a token isn't taken here: every reason that is known, and not the first one alone.

The verdict is that of `Tokens`, which verifies. What is here looks at each thing by
itself and says in an operator's words what is wrong with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from kataven_flask.keys import hash_secret_key
from kataven_flask.outlook import Claims, Reason, file_reasons, shown, text_of
from kataven_flask.recognition import Kind, Unverified, recognise
from kataven_flask.registry import KeyRecord, Registry
from kataven_flask.signing import KeyRing
from kataven_flask.times import is_time, span, utc_second
from kataven_flask.tokens import (
    CLOCK_SKEW,
    SESSION_TYP,
    VISITOR_TYP,
    BadTokenError,
    Session,
    Tokens,
    VisitorClaims,
)

_JWT_KINDS: Final = {Kind.VISITOR, Kind.SESSION, Kind.OTHER_JWT}
_SIGNATURE_BYTES: Final = 64
"""Of ES256 and EdDSA alike (RFC 7518, section 3.4; RFC 8032, section 5.1.6)."""
_SHORT: Final = 12
_REGISTERED: Final = {"iss", "aud", "sub", "iat", "exp", "jti"}
"""RFC 7519, section 4.1; these may not be null either."""


@dataclass(frozen=True, slots=True)
class Here:
    """What a token is held against.

    Args:
        ring: The keys; None where they can't be read.
        registry: The tenants; None where they can't be read.
        issuer: The `iss` of this server's tokens where the file names none; None if unknown.
        now: Seconds since the epoch.
    """

    ring: KeyRing | None
    registry: Registry | None
    issuer: str | None
    now: float


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of a text.

    Args:
        found: What it is and says of itself.
        reasons: Why it isn't taken here.
        at_refresh: Why a session token's session can't be refreshed, though it itself is taken.
        unknown: What couldn't be looked at.
        owner: The client key that a secret key belongs to, if it is one of this file's.
    """

    found: Unverified
    reasons: tuple[Reason, ...] = ()
    at_refresh: tuple[Reason, ...] = ()
    unknown: tuple[str, ...] = ()
    owner: KeyRecord | None = field(default=None)

    @property
    def verifies(self) -> bool | None:
        """Whether it is taken here; None where that can't be told."""
        if self.reasons:
            return False
        return None if self.unknown else True


def inspect(text: str, here: Here) -> Inspection:
    """Find out all that is known of a text.

    Args:
        text: Anything.
        here: What to hold it against.

    Returns:
        What it is, and why it isn't taken, if it isn't.
    """
    found = recognise(text)
    if found.kind in _JWT_KINDS or found.kind is Kind.REFRESH:
        return _inspect_token(found, here)
    owner = None
    if found.kind is Kind.SECRET_KEY and here.registry:
        owner, _ = here.registry.secrets.get(hash_secret_key(found.text), (None, None))
    return Inspection(found, (Reason("no_token", "it is no token of this service"),), owner=owner)


def _inspect_token(found: Unverified, here: Here) -> Inspection:
    tokens = _tokens(found.claims, here)
    of_token = list(_reasons(found, tokens, here.now))
    if tokens is not None and here.registry is not None:
        of_token += _backstop(found, tokens, here.now, explained=bool(of_token))
    of_file: list[Reason] = []
    if here.registry is not None and found.kind is not Kind.OTHER_JWT:
        of_file = list(file_reasons(found, here.registry, here.now))
    if found.kind is Kind.SESSION:
        return Inspection(found, tuple(of_token), tuple(of_file), _unknown(here))
    return Inspection(found, (*of_token, *of_file), unknown=_unknown(here))


def _tokens(claims: Claims, here: Here) -> Tokens | None:
    """Return what verifies; of a server whose issuer nobody names, that of the token is taken."""
    if here.ring is None:
        return None
    issuer = _issuer(here) or text_of(claims.get("iss"))
    return Tokens(here.ring, issuer, here.registry.audience if here.registry else "")


def _issuer(here: Here) -> str | None:
    return (here.registry.issuer if here.registry else None) or here.issuer


def _unknown(here: Here) -> tuple[str, ...]:
    missing = {"the signing keys": here.ring, "the tenants": here.registry}
    return tuple(name for name, value in missing.items() if value is None)


def _backstop(
    found: Unverified, tokens: Tokens, now: float, *, explained: bool
) -> Iterator[Reason]:
    """Take over the verifier's own reason where none was found: its word is the last."""
    verify: dict[Kind, Callable[[], object]] = {
        Kind.VISITOR: partial(tokens.verify_visitor, found.text, now),
        Kind.SESSION: partial(tokens.verify_session, found.text, now),
        Kind.REFRESH: partial(tokens.verify_refresh, found.text),
    }
    if explained or found.kind not in verify:
        return
    try:
        verify[found.kind]()
    except BadTokenError as error:
        yield Reason("refused", str(error))


# --- what the token itself shows


def _reasons(found: Unverified, tokens: Tokens | None, now: float) -> Iterator[Reason]:
    if found.kind is Kind.REFRESH:
        yield from _refresh_reasons(found, tokens)
    else:
        yield from _header_reasons(found, tokens)
        yield from _aim_reasons(found, tokens)
    if found.kind is not Kind.OTHER_JWT:
        yield from _missing_reasons(found)
    if found.kind is not Kind.REFRESH:  # which nobody but us has read
        yield from _type_reasons(found.claims)
        yield from _future_reasons(found.claims, now)
    yield from _end_reasons(found.claims, now)


def _refresh_reasons(found: Unverified, tokens: Tokens | None) -> Iterator[Reason]:
    if tokens is None:
        return
    try:
        tokens.verify_refresh(found.text)
    except BadTokenError:
        yield Reason(
            "signature",
            "no refresh secret of this instance signed it: it was changed or cut, is another"
            " server's, or the secret was pruned",
        )


def _header_reasons(found: Unverified, tokens: Tokens | None) -> Iterator[Reason]:
    header = found.header
    if found.kind is Kind.OTHER_JWT:
        says = f"its typ is {shown(header['typ'])}" if "typ" in header else "it has no typ"
        yield Reason("typ", f"{says}; ours are {VISITOR_TYP} and {SESSION_TYP}")
    strange = sorted(header.keys() - {"alg", "kid", "typ"})
    if strange:
        names = ", ".join(map(shown, strange))
        yield Reason("header", f"its header has what none of ours has: {names}")
    if tokens is None:
        return
    key = tokens.ring.find(header.get("kid"))
    if key is None:
        yield _unknown_key(found, tokens.ring)
    elif header.get("alg") != key.alg:
        says = shown(header.get("alg"))
        yield Reason("alg", f"its alg is {says}, and the key it names is for {key.alg} alone")
    elif not tokens.is_signed(found.text):
        yield Reason("signature", f"its signature is not that of the key it names{_cut(found)}")


def _unknown_key(found: Unverified, ring: KeyRing) -> Reason:
    says = f"key {shown(found.header['kid'])}" if "kid" in found.header else "no key"
    ours = ", ".join(key.kid[:_SHORT] for key in ring.signing_keys)
    return Reason(
        "unknown_kid",
        f"it names {says}, and this instance has {ours}: another server signed it, or its key"
        " was pruned since",
    )


def _cut(found: Unverified) -> str:
    size = len(found.text.rpartition(".")[2]) * 6 // 8
    if size == _SIGNATURE_BYTES:
        return ": something in it was changed, or somebody forged it"
    return f": it has {size} bytes instead of {_SIGNATURE_BYTES}; was it copied whole?"


def _aim_reasons(found: Unverified, tokens: Tokens | None) -> Iterator[Reason]:
    """Hold `iss` and `aud` against ours (RFC 8725, sections 3.8 and 3.9)."""
    if tokens is None or not tokens.audience:
        return
    iss, aud = found.claims.get("iss"), found.claims.get("aud")
    if iss is not None and iss != tokens.issuer:
        text = f"another issuer minted it: {shown(iss)}, and this one is {shown(tokens.issuer)}"
        yield Reason("issuer", text)
    expected = {Kind.VISITOR: tokens.exchange_audience, Kind.SESSION: tokens.audience}
    ours = expected.get(found.kind)
    if aud is not None and ours is not None and aud != ours:
        yield Reason("audience", f"it is meant for {shown(aud)}, and not for {shown(ours)}")


def _missing_reasons(found: Unverified) -> Iterator[Reason]:
    claims = found.claims
    missing = sorted(
        name
        for name in _required(found.kind)
        if name not in claims or (name in _REGISTERED and claims[name] is None)
    )
    if missing:
        yield Reason("missing_claim", f"it lacks {', '.join(missing)}")


def _required(kind: Kind) -> set[str]:
    cls = VisitorClaims if kind is Kind.VISITOR else Session
    names = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING}
    if kind is Kind.REFRESH:
        return names | {"generation", "iat", "exp"}
    if kind is Kind.SESSION:
        names = names - {"began_ms"} | {"auth_time"}
    return names | _REGISTERED


def _type_reasons(claims: Claims) -> Iterator[Reason]:
    for name in ("sub", "jti"):
        if not isinstance(claims.get(name, ""), str | None):
            yield Reason("type", f"its {name} is no text")
    for name in ("iat", "exp"):
        if not (claims.get(name) is None or is_time(claims[name])):
            yield Reason("type", f"its {name} is no whole number of seconds of 1970 to 2106")


def _future_reasons(claims: Claims, now: float) -> Iterator[Reason]:
    iat = claims.get("iat")
    if is_time(iat) and iat > now + CLOCK_SKEW:
        yield Reason(
            "future",
            f"it was minted {span(iat - now)} in the future: compare this clock with that of the"
            " host that minted it",
        )


def _end_reasons(claims: Claims, now: float) -> Iterator[Reason]:
    exp = claims.get("exp")
    if is_time(exp) and exp <= now:
        yield Reason("expired", f"it ended {span(now - exp)} ago, {utc_second(exp)}")
