"""`kataven-flask signing-keys`: see, rotate and prune what signs tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import click

from kataven_flask.cli.options import instance_option, json_option
from kataven_flask.cli.output import print_json, table
from kataven_flask.key_ring_file import as_owner_of, change_key_ring, read_key_ring
from kataven_flask.signing import (
    JWKS_MAX_AGE,
    LEAD,
    Algorithm,
    Entry,
    KeyRing,
    RefreshSecret,
    SigningKey,
    Standing,
)
from kataven_flask.times import duration, iso_utc, utc_minute

_SHORT_ID: Final = 12
_HEADINGS: Final = ("ID", "KIND", "ALG", "CREATED (UTC)", "STATE")


@click.group("signing-keys")
def signing_keys() -> None:
    """See, rotate and prune the keys that sign tokens.

    Each comes with a secret that signs refresh tokens, and rotates with it. Running servers
    pick every change up within two seconds.
    """


@signing_keys.command("list")
@instance_option
@json_option
def list_(instance: Path, *, as_json: bool) -> None:
    """Show every key and what it does now.

    The private keys and the secrets themselves are never shown.

    Example: kataven-flask signing-keys list
    """
    now = time.time()
    with as_owner_of(instance):
        ring = read_key_ring(instance)
    standings = ring.standings(now)
    if as_json:
        print_json([_as_json(standing) for standing in standings])
        return
    click.echo(table(_HEADINGS, [_row(standing, now) for standing in standings]))


@signing_keys.command()
@instance_option
@click.option(
    "--alg",
    type=click.Choice(get_args(Algorithm)),
    help="The algorithm of the new key.  [default: that of the newest]",
)
@click.option("--at-once", is_flag=True, help="Sign with it now; the old ones still verify.")
@click.option(
    "--leaked",
    is_flag=True,
    help="After a leak: sign with it now, and remove all others; every token and session ends.",
)
def rotate(instance: Path, alg: Algorithm | None, *, at_once: bool, leaked: bool) -> None:
    """Add a new key, which signs 15 minutes later.

    By then every verifier has fetched its public half, so that no request fails. What was
    signed before goes on to its end, and then `prune` removes the old keys.

    Example: kataven-flask signing-keys rotate
    """

    def change(ring: KeyRing, now: float) -> KeyRing:
        return ring.replaced(now, alg) if leaked else ring.rotated(now, alg, at_once=at_once)

    before, after = _change(instance, change)
    key, secret = after.newest, after.refresh_secrets[-1]
    click.echo(f"Made {_name(key)} ({key.alg}) and {_name(secret)}.")
    if leaked or at_once:
        click.echo(
            "They sign from now on. A verifier that keeps the public keys may refuse new tokens,\n"
            f"and take old ones, until it fetches them again, up to {duration(JWKS_MAX_AGE)} later."
        )
    else:
        click.echo(
            f"They sign from {utc_minute(key.signs_from)} on, in {duration(LEAD)};"
            " until then the old ones do, and no request fails."
        )
    _tell_what_went(before, after)


@signing_keys.command()
@instance_option
@click.option(
    "--leaked",
    metavar="ID",
    help="Remove this one and all that are older, at once; their tokens and sessions end.",
)
def prune(instance: Path, leaked: str | None) -> None:
    """Remove the old keys that nothing needs.

    These have signed no token that could still be alive: safe at any time, from a timer
    too. With --leaked, what still verifies goes, and whoever holds a token of it has to
    begin anew.

    Example: kataven-flask signing-keys prune
    """

    def change(ring: KeyRing, now: float) -> KeyRing:
        return ring.pruned(now) if leaked is None else ring.without_leaked(leaked, now)

    before, after = _change(instance, change)
    if before.entries == after.entries:
        click.echo("Nothing to remove.")
    _tell_what_went(before, after)
    for standing in after.standings(time.time()):
        if standing.state == "verifies" and standing.verifies_until is not None:
            click.echo(f"Kept {_name(standing.entry)} until {utc_minute(standing.verifies_until)}.")


def _change(instance: Path, change: Callable[[KeyRing, float], KeyRing]) -> tuple[KeyRing, KeyRing]:
    with as_owner_of(instance):
        # The time is read under the lock: another change may have been waited for.
        return change_key_ring(instance, lambda ring: change(ring, time.time()))


# --- words


def _tell_what_went(before: KeyRing, after: KeyRing) -> None:
    stay = {entry.id for entry in after.entries}
    for entry in before.entries:
        if entry.id not in stay:
            click.echo(f"Removed {_name(entry)}.")


def _row(standing: Standing, now: float) -> tuple[str, ...]:
    entry = standing.entry
    created = iso_utc(entry.created_at)[:16].replace("T", " ")
    return _short(entry), _kind(entry), _alg(entry), created, _state(standing, now)


def _state(standing: Standing, now: float) -> str:
    until = standing.verifies_until
    match standing.state:
        case "waits":
            signs_from = standing.entry.signs_from
            return f"signs from {utc_minute(signs_from)}, in {duration(signs_from - now)}"
        case "signs":
            return "signs"
        case "verifies":
            return f"verifies until {utc_minute(until or 0)}"
        case "prunable":
            return "can be pruned"


def _as_json(standing: Standing) -> dict[str, Any]:
    entry, until = standing.entry, standing.verifies_until
    return {
        "id": entry.id,
        "kind": _kind(entry).replace(" ", "_"),
        "alg": _alg(entry),
        "created_at": iso_utc(entry.created_at),
        "signs_from": iso_utc(entry.signs_from),
        "state": standing.state,
        "verifies_until": None if until is None else iso_utc(until),
    }


def _name(entry: Entry) -> str:
    return f"{_kind(entry)} {_short(entry)}"


def _kind(entry: Entry) -> str:
    return "refresh secret" if isinstance(entry, RefreshSecret) else "signing key"


def _alg(entry: Entry) -> str:
    return entry.alg if isinstance(entry, SigningKey) else "HMAC"


def _short(entry: Entry) -> str:
    return entry.id[:_SHORT_ID]
