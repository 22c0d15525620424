"""`kataven-flask tokens`: read a token."""

from __future__ import annotations

import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from kataven_flask.cli.commands import command
from kataven_flask.cli.options import (
    Text,
    config_option,
    instance_option,
    json_option,
    quiet_option,
)
from kataven_flask.cli.output import note, print_json, styled, table
from kataven_flask.cli.reading import read_tenants
from kataven_flask.cli.token_words import (
    claim_rows,
    header_rows,
    is_personal,
    kind_in_words,
    what_else,
)
from kataven_flask.document.faults import FaultyDocumentError
from kataven_flask.errors import ConfigurationError
from kataven_flask.inspection import Here, Inspection, inspect
from kataven_flask.key_ring_file import as_owner_of, read_key_ring
from kataven_flask.outlook import Reason
from kataven_flask.recognition import Kind
from kataven_flask.registry import Registry
from kataven_flask.settings import checked_issuer
from kataven_flask.signing import KeyRing
from kataven_flask.text import visible

_WIDTH: Final = 80
_MAX_INPUT: Final = 64 * 1024
"""Bytes of stdin; four times the longest token."""
_TERMINAL_LINE: Final = 4095
"""Characters that a terminal takes in one line (termios(3), canonical mode); it drops the rest."""
_LEAK: Final = """\
Warning: what stands on a command line is kept in the shell's history, and every
user of this machine sees it while the command runs. Remove it (`history -d`).
Next time run `kataven-flask tokens inspect`, which asks for it, or pipe it in:
`… | kataven-flask tokens inspect -`.
"""


@click.group()
def tokens() -> None:
    """Read tokens, and say why one is refused."""


@tokens.command("inspect")
@click.argument("token", required=False)
@click.option("--personal", is_flag=True, help="Show who it is about: sub, name, email and such.")
@config_option
@instance_option
@click.option(
    "--issuer",
    type=Text(),
    envvar="KATAVEN_ISSUER",
    show_envvar=True,
    help="The server's --issuer, where the file names none.  [default: not compared]",
)
@json_option
@quiet_option
@click.pass_context
def inspect_(  # noqa: PLR0913 - an option each
    context: click.Context,
    token: str | None,
    *,
    personal: bool,
    config: Path,
    instance: Path,
    issuer: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show what a token is, what it says, and whether it verifies here.

    Don't write the token on the command line: it would stay in the shell's history. Leave
    TOKEN out, and it is asked for without being shown; or pipe it in.

    Where it doesn't verify, every reason is named: by the signing keys of --instance and
    by the tenants of --config, as a server with the same two would see it now. Nothing is
    changed, no server is asked, and the token is never printed. Who it is about is hidden
    without --personal, so that the output can go into a ticket.

    Exit code: 0, it verifies; 1, it doesn't, or that can't be told.

    \b
    Examples:
      kataven-flask tokens inspect
      pbpaste | kataven-flask tokens inspect -
      kataven-flask tokens inspect --json < token.txt | jq .reasons
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    given = token is not None and token != "-"  # noqa: S105 - stdin's name
    text = token if token is not None and given else _read()
    here, faults = _look_around(config, instance, checked_issuer(issuer) if issuer else None)
    inspection = inspect(text, here)
    kind = inspection.found.kind
    if given and not quiet and kind not in _NO_SECRETS:
        note(styled(_LEAK, "warn"))
    if kind in _ALARMS:
        note(styled(_alarm(inspection, config), "bad"))
    report = _Report(inspection, here, faults, personal=personal)
    if as_json:
        print_json(report.as_json())
    elif not quiet:
        report.show()
    context.exit(0 if inspection.verifies else 1)


_NO_SECRETS: Final = {Kind.CLIENT_KEY, Kind.SECRET_HASH, Kind.SESSION_ID, Kind.EMPTY}
_ALARMS: Final = {Kind.SECRET_KEY, Kind.PRIVATE_KEY}


# --- what it is asked about, and what it knows


def _read() -> str:
    """Read the token from stdin; a terminal doesn't show it."""
    if sys.stdin is None:  # closed by whoever started this
        return ""
    if sys.stdin.isatty():
        text: str = click.prompt("Token (it isn't shown)", hide_input=True, err=True)
        if len(text) >= _TERMINAL_LINE:
            raise ConfigurationError(
                f"a terminal takes {_TERMINAL_LINE} characters at most; put the token into a file"
                " and run: kataven-flask tokens inspect < FILE"
            )
        return text
    raw = sys.stdin.buffer.read(_MAX_INPUT + 1)
    if len(raw) > _MAX_INPUT:
        raise ConfigurationError(f"stdin: more than {_MAX_INPUT // 1024} KiB; give one token")
    return raw.decode(errors="surrogateescape")


def _look_around(config: Path, instance: Path, issuer: str | None) -> tuple[Here, list[str]]:
    """Read the keys and the tenants; what can't be read is told, and done without."""
    ring: KeyRing | None = None
    registry: Registry | None = None
    faults = []
    try:
        with as_owner_of(instance):
            ring = read_key_ring(instance)
    except ConfigurationError as error:
        faults.append(str(error))
    try:
        registry = read_tenants(config)
    except FaultyDocumentError:
        faults.append(f"{config}: has faults; `kataven-flask check` lists them")
    except ConfigurationError as error:
        faults.append(str(error))
    return Here(ring, registry, issuer, time.time()), faults


# --- how it is told


@dataclass(frozen=True, slots=True)
class _Report:
    inspection: Inspection
    here: Here
    faults: list[str]
    personal: bool

    def as_json(self) -> dict[str, Any]:
        found = self.inspection.found
        hidden = [] if self.personal else [n for n in found.claims if is_personal(n, found)]
        return {
            "kind": found.kind.value,
            "verifies": self.inspection.verifies,
            "reasons": [{"code": r.code, "text": r.text} for r in self.inspection.reasons],
            "at_refresh": [{"code": r.code, "text": r.text} for r in self.inspection.at_refresh],
            "notes": [*found.oddities, *self.faults],
            "header": dict(found.header),
            "claims": {n: value for n, value in found.claims.items() if n not in hidden},
            "hidden": hidden,
        }

    def show(self) -> None:
        found = self.inspection.found
        click.echo(styled(kind_in_words(self.inspection), "strong"))
        claims = claim_rows(found, self.here.now, personal=self.personal)
        for heading, rows in (("HEADER", header_rows(found)), ("CLAIM", claims)):
            if rows:
                click.echo(f"\n{table((heading, 'WHAT IT IS', 'VALUE'), rows)}")
        if found.header or found.claims:
            click.echo()
        for oddity in found.oddities:
            click.echo(f"{_sentence(oddity)}.")
        if found.header or found.claims:
            self._show_verdict()

    def _show_verdict(self) -> None:
        inspection = self.inspection
        for fault in self.faults:
            note(f"Note: {visible(fault)}")
        match inspection.verifies:
            case True:
                click.echo(styled("It verifies here.", "good"))
            case False:
                click.echo(styled("It does not verify here:", "bad"))
            case None:
                missing = " and ".join(inspection.unknown)
                text = f"Whether it verifies here can't be told without {missing}."
                click.echo(styled(text, "warn"))
        for reason in inspection.reasons:
            click.echo(_item(reason))
        if inspection.at_refresh:
            click.echo(styled("Its session can't be refreshed:", "warn"))
        for reason in inspection.at_refresh:
            click.echo(_item(reason))
        for line in what_else(inspection, self.here):
            click.echo(line)


def _alarm(inspection: Inspection, config: Path) -> str:
    if inspection.found.kind is Kind.PRIVATE_KEY:
        return (
            "ALARM: this is a private key, and now it has been seen.\nIf it is one of this"
            " service's, run: kataven-flask signing-keys rotate --leaked"
        )
    owner = inspection.owner
    if owner is None:
        whose = "None of the tenants read here has it;\nrotate it where it belongs."
    else:
        rotate = command(config, "keys", "rotate", owner.key.client_key, "--hours", "0")
        whose = f"It is {owner.tenant_id}'s, of {owner.key.name!r}.\nEnd it now: {rotate}"
    return f"ALARM: this is a secret key, and now it has been seen.\n{whose}"


def _item(reason: Reason) -> str:
    """Break a reason into lines, but no name within it."""
    return textwrap.fill(
        reason.text,
        _WIDTH,
        initial_indent="  - ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
