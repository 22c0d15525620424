"""Client keys and secret keys: their formats, their making, their hashes."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kataven_flask.keys import (
    SECRET_HASH,
    TENANT_ID,
    ClientKeyName,
    Mode,
    generate_client_key,
    generate_secret_key,
    hash_secret_key,
    parse_client_key,
    same_hash,
)

TAIL = "A1b2" * 5 + "zZ"
"""22 letters and digits: the fewest that a key may end in."""


@pytest.mark.parametrize(
    ("text", "mode", "tenant"),
    [
        (f"pk_live_acme_{TAIL}", "live", "acme"),
        (f"pk_test_acme_{TAIL}", "test", "acme"),
        (f"pk_live_a-1_{TAIL}", "live", "a-1"),
        (f"pk_live_ab_{TAIL}", "live", "ab"),
        (f"pk_live_{'t' * 32}_{TAIL}", "live", "t" * 32),
        (f"pk_live_acme_{'x' * 64}", "live", "acme"),
        (f"pk_live_live_{TAIL}", "live", "live"),
    ],
    ids=["live", "test", "dash", "short tenant", "long tenant", "long tail", "tenant named live"],
)
def test_a_client_key_says_whose_it_is(text: str, mode: Mode, tenant: str) -> None:
    """A client key's text tells its mode and its tenant."""
    assert parse_client_key(text) == ClientKeyName(mode, tenant)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pk_live_acme",
        f"pk_live_acme_{TAIL[:-1]}",
        f"pk_live_acme_{'x' * 65}",
        f"pk_prod_acme_{TAIL}",
        f"sk_live_acme_{TAIL}",
        f"PK_live_acme_{TAIL}",
        f"pk_live_Acme_{TAIL}",
        f"pk_live_a_{TAIL}",
        f"pk_live_{'t' * 33}_{TAIL}",
        f"pk_live_ac_me_{TAIL}",
        f"pk_live_acme_{TAIL[:-1]}-",
        f"pk_live_acme_{TAIL[:-1]}é",
        f"pk_live_acme_{TAIL}\n",
        f" pk_live_acme_{TAIL}",
        f"pk_live_acmé_{TAIL}",
        f"pk_live_acme_{TAIL[:-1]}٣",
    ],
    ids=[
        "empty",
        "no tail",
        "tail too short",
        "tail too long",
        "unknown mode",
        "secret key",
        "upper case",
        "tenant in upper case",
        "tenant too short",
        "tenant too long",
        "tenant with an underscore",
        "tail with a dash",
        "tail beyond ASCII",
        "line's end",
        "leading space",
        "tenant beyond ASCII",
        "digit of another script",
    ],
)
def test_what_only_looks_like_a_client_key(text: str) -> None:
    """A text that isn't exactly a client key is none."""
    assert parse_client_key(text) is None


@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_made_client_key_reads_back(mode: Mode) -> None:
    """A key that was just made is one of its tenant, in its mode."""
    assert parse_client_key(generate_client_key("acme", mode)) == ClientKeyName(mode, "acme")


@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_made_secret_key_has_256_bits(mode: Mode) -> None:
    """A secret key ends in 43 random letters and digits: 256 bits."""
    assert re.fullmatch(rf"sk_{mode}_acme_[A-Za-z0-9]{{43}}", generate_secret_key("acme", mode))


def test_keys_are_live_unless_asked_otherwise() -> None:
    """A key made without naming a mode works on public hosts."""
    assert generate_client_key("acme").startswith("pk_live_acme_")
    assert generate_secret_key("acme").startswith("sk_live_acme_")


def test_no_two_keys_are_alike() -> None:
    """A key is never made twice."""
    made = {make("acme") for make in (generate_client_key, generate_secret_key) for _ in range(200)}
    assert len(made) == 400


def test_a_hash_is_of_the_whole_secret_key() -> None:
    """What is kept is the SHA-256 of all of the text in hex, as a person can make it by hand."""
    secret = f"sk_live_acme_{'s' * 43}"
    assert hash_secret_key(secret) == "sha256:" + hashlib.sha256(secret.encode()).hexdigest()
    assert SECRET_HASH.fullmatch(hash_secret_key(secret))


def test_a_hash_tells_nothing_of_the_secret_key() -> None:
    """No part of the secret key stands in what is kept of it."""
    secret = generate_secret_key("acme")
    assert secret[-43:] not in hash_secret_key(secret)


@given(one=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_hash_is_the_same_each_time(one: str) -> None:
    """Whatever a caller presents can be hashed, and always to the same."""
    assert same_hash(hash_secret_key(one), hash_secret_key(one))


@pytest.mark.parametrize("other", ["", "sha256:", hash_secret_key("other"), "é"])
def test_another_hash_is_not_the_same(other: str) -> None:
    """Two hashes are the same where every character is, whatever the other one holds."""
    assert not same_hash(hash_secret_key("one"), other)


@pytest.mark.parametrize("text", ["ab", "acme", "a-b-1", "0" * 32])
def test_tenant_ids(text: str) -> None:
    """A tenant's id is 2 to 32 lower-case letters, digits and dashes."""
    assert TENANT_ID.fullmatch(text)


@pytest.mark.parametrize("text", ["", "a", "Acme", "ac_me", "ac me", "t" * 33, "acmé", "acme\n"])
def test_refused_tenant_ids(text: str) -> None:
    """Anything else is none."""
    assert not TENANT_ID.fullmatch(text)
