"""What `kataven-flask origins explain` finds, and how it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from kataven_flask import errors
from kataven_flask.checks import resolve_agent
from kataven_flask.cli.key_choice import described
from kataven_flask.cli.output import note, styled
from kataven_flask.explain import Explanation, Kind, Verdict, add_command, explain
from kataven_flask.keys import parse_client_key
from kataven_flask.registry import KeyRecord
from kataven_flask.times import iso_utc
from kataven_flask.typed_origin import TypedOrigin
from kataven_flask.whereabouts import DEFAULT_CONFIG

_WIDTH: Final = 80
_ENTRY_COLUMN: Final = 36
"""Columns; a longer entry pushes its own reason alone."""

_ADVICE: Final = {
    Kind.SCHEME: "For a browser, http and https are two sites.",
    Kind.PORT: "An entry without a port is for the scheme's own: 443 on https, 80 on http.",
    Kind.WWW: "With and without www. are two sites: list both, or redirect one to the other.",
    Kind.APEX: "A wildcard is for hosts under a domain; the domain needs an entry of its own.",
    Kind.LOOPBACK: "Open the page by the name in the entry, or list this one too.",
    Kind.SUBDOMAIN: "Each host needs an entry, or a wildcard, which trusts whatever is under it.",
    Kind.PARENT: "Each host needs an entry of its own.",
    Kind.SIBLING: "Each host needs an entry of its own.",
    Kind.ACCENTS: "A slip in one of the two, or somebody else's domain.",
    Kind.TYPO: "A slip in one of the two, or somebody else's domain.",
    Kind.ENDING: "It may be the same owner's, or somebody else's.",
}
_PLAIN: Final = "Better have it on https first: on http, anybody on the way can change the page."
_ALARM: Final = "Look out: this may be a phishing page."
_WHICH_IS_THEIRS: Final = (
    "One of the two may be made to be taken for the other. Find out which of them is the"
    " tenant's own before you change the list; for that reason no command is given here."
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a page on an origin gets with a client key, and why.

    Args:
        record: The key.
        typed: The origin as it was typed.
        explanation: What the allowlist makes of it; None where no origin was typed.
        obstacles: What the key is refused for with 403, whatever the origin.
        command: What would admit the origin; None where nothing can or should.
    """

    record: KeyRecord
    typed: TypedOrigin
    explanation: Explanation | None
    obstacles: tuple[str, ...]
    command: str | None

    @property
    def is_served(self) -> bool:
        """Whether such a page is served."""
        admitted = self.explanation is not None and self.explanation.admitted_by is not None
        return admitted and not self.obstacles


def find_out(record: KeyRecord, typed: TypedOrigin, config: Path) -> Finding:
    """Find out what a page gets.

    Args:
        record: The client key.
        typed: The page's origin.
        config: The tenants' file, for the command that changes it.

    Returns:
        The finding.
    """
    obstacles = tuple(_obstacles(record, time.time()))
    if typed.origin is None:
        return Finding(record, typed, None, obstacles, None)
    name = parse_client_key(record.key.client_key)
    loopback_only = name is not None and name.mode == "test"
    found = explain(record.key.domain_allowlist, typed.origin, loopback_only=loopback_only)
    command = None
    if found.offer is not None:
        where = None if config == DEFAULT_CONFIG else str(config)
        command = add_command(record.key.client_key, found.offer, where)
    return Finding(record, typed, found, obstacles, command)


def _obstacles(record: KeyRecord, now: float) -> Iterator[str]:
    """Yield what else the key's requests are refused for with 403, whatever the origin."""
    key = record.key
    if not key.enabled:
        yield "the key is switched off: enabled is false"
    if key.not_after is not None and key.not_after <= datetime.fromtimestamp(now, UTC):
        yield f"the key is past its not_after, {iso_utc(key.not_after.timestamp())}"
    try:
        resolve_agent(record, None)
    except errors.AgentDisabled as error:
        yield error.detail
    except errors.Refusal:
        pass  # no 403: a page may name another agent


def _limits(record: KeyRecord) -> Iterator[str]:
    """Yield who is refused with 403 by design."""
    with suppress(errors.Refusal):
        agent_id, agent = resolve_agent(record, None)
        if not agent.admits("guest"):
            yield f"guests get 403: {agent_id} is for signed-in users alone (auth_mode: user)"
        if not agent.admits("user"):
            yield f"signed-in users get 403: {agent_id} is for guests alone (auth_mode: guest)"


# --- how it is told


def finding_as_json(found: Finding) -> dict[str, Any]:
    """Return a finding for a script."""
    explanation = found.explanation
    admitted_by = explanation and explanation.admitted_by
    nearest, alarm = explanation and explanation.nearest, explanation and explanation.alarm
    return {
        "client_key": found.record.key.client_key,
        "tenant": found.record.tenant_id,
        "origin": None if found.typed.origin is None else str(found.typed.origin),
        "fault": found.typed.fault or None,
        "notes": [*found.typed.notes, *_limits(found.record)],
        "served": found.is_served,
        "admitted_by": admitted_by.entry.text if admitted_by else None,
        "entries": [_verdict_as_json(each) for each in explanation.verdicts] if explanation else [],
        "nearest": nearest.entry.text if nearest else None,
        "alarm": alarm.why_not if alarm else None,
        "obstacles": [*found.obstacles, *_list_obstacle(explanation)],
        "entry_to_add": explanation.offer if explanation else None,
        "command": found.command,
    }


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    differences = [{"kind": each.kind, "words": each.words} for each in verdict.differences]
    return {"entry": verdict.entry.text, "admits": verdict.admits, "differences": differences}


def _list_obstacle(explanation: Explanation | None) -> list[str]:
    return [explanation.obstacle] if explanation and explanation.obstacle else []


def print_finding(found: Finding) -> None:
    """Print a finding for a person."""
    for text in (*found.typed.notes, *_limits(found.record)):
        note(styled(f"Note: {text}.", "dim"))
    if found.explanation is None:
        click.echo(styled("Refused", "bad") + ": it is no origin that an allowlist could admit.\n")
        _paragraph(f"{found.typed.fault}.")
    else:
        _print_verdicts(found, found.explanation)
        _print_hint(found, found.explanation)
    for obstacle in found.obstacles:
        click.echo("\n" + styled("Refused, whatever the origin: ", "bad") + f"{obstacle}.")


def _print_verdicts(found: Finding, explanation: Explanation) -> None:
    word = styled("refused", "bad") if not found.is_served else styled("admitted", "good")
    click.echo(f"{styled(str(explanation.origin), 'strong')} is {word}")
    click.echo(f"by {described(found.record)}\n")
    names = [verdict.name for verdict in explanation.verdicts]
    width = min(max(map(len, names), default=0), _ENTRY_COLUMN)
    for name, verdict in zip(names, explanation.verdicts, strict=True):
        mark = styled("✓", "good") if verdict.admits else styled("✗", "bad")
        reasons = [each.words for each in verdict.differences] or ["admits it"]
        click.echo(f"  {mark} {name.ljust(width)}  {reasons[0]}")
        for reason in reasons[1:]:
            click.echo(f"    {' ' * width}  {reason}")
    if not names:
        click.echo("  Its allowlist is empty: it admits nobody.")


def _print_hint(found: Finding, explanation: Explanation) -> None:
    if explanation.alarm is not None:
        click.echo("\n" + styled(_ALARM, "bad"))
        _paragraph(_WHICH_IS_THEIRS)
        return
    if explanation.nearest is not None:
        nearest = styled(f"Nearest: {explanation.nearest.name}", "strong")
        click.echo(f"\n{nearest}")
        _paragraph(_ADVICE[explanation.nearest.kind])
    if explanation.admitted_by is None and explanation.obstacle:
        click.echo()
        _paragraph(f"It can't be added: {explanation.obstacle}.")
    if found.command is not None:
        origin = explanation.origin
        if origin.scheme == "http" and not origin.is_loopback:
            click.echo(f"\n{_PLAIN}")
        click.echo(f"\nIf that page is the tenant's own, this admits it:\n\n  {found.command}")


def _paragraph(text: str) -> None:
    click.echo(click.wrap_text(text[:1].upper() + text[1:], _WIDTH))
