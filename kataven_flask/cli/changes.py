"""What the commands that edit the tenants' file share: the diff, the question, the new pair."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from kataven_flask.cli.commands import command
from kataven_flask.cli.output import fit, note, print_json, styled
from kataven_flask.cli.progress import patience
from kataven_flask.document.advice import advice
from kataven_flask.document.config_file import Change, Plan, change_config
from kataven_flask.document.member_types import MAX_LABEL
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import Mode, generate_client_key, generate_secret_key, hash_secret_key
from kataven_flask.registry import Registry
from kataven_flask.snippet import EXAMPLE_CONNECT_URL, EXAMPLE_SERVER, snippet

TEST_ORIGINS = ("localhost:*", "*.localhost:*")
"""Where a test key works, if nothing else is said: this machine's own sites."""


@dataclass(frozen=True, slots=True)
class Editor:
    """One run of a command that edits.

    Args:
        config: The tenants' file.
        dry_run: Whether only the diff is shown.
        quiet: Whether a success is silent.
        as_json: Whether the result is for a script.
    """

    config: Path
    dry_run: bool = False
    quiet: bool = False
    as_json: bool = False

    def change(self, plan: Plan) -> Change:
        """Make a change, or show its diff, or raise ConfigurationError."""
        with patience(f"editing {self.config}", quiet=self.quiet):
            change = change_config(self.config, plan, dry_run=self.dry_run)
        if self.dry_run and self.as_json:
            print_json({"file": str(change.file), "written": False, "diff": change.diff()})
        elif self.dry_run:
            print_diff(change.diff())
            if not self.quiet:
                note("Nothing was written (--dry-run).")
        return change

    def say(self, text: str) -> None:
        """Tell a person what was done."""
        if not (self.dry_run or self.quiet or self.as_json):
            click.echo(text)

    def command(self, *words: str) -> str:
        """Write a command that works on the same file."""
        return command(self.config, *words)

    def warn(self, change: Change, tenant_id: str) -> None:
        """Tell what is probably a mistake in a tenant by now, as `check` does."""
        if self.quiet or self.dry_run:
            return
        for warning in advice(change.registry, change.marks, datetime.now(UTC)):
            if f"{warning.path}.".startswith(f"tenants.{tenant_id}."):
                note(f"{styled('Warning', 'warn')}: {warning.path}: {warning.message}")


def require_yes(question: str) -> None:
    """Ask whether it is meant; raise ConfigurationError where it isn't."""
    try:
        is_meant = click.confirm(question, err=True)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        note("")
        told = "nothing was changed, as nobody was there to answer; a script says --yes"
        raise ConfigurationError(told) from abort
    if not is_meant:
        raise ConfigurationError("nothing was changed")


def print_diff(diff: str) -> None:
    """Print a unified diff, in color on a terminal."""
    for line in fit(diff.replace("\r\n", "\n")).split("\n")[:-1]:
        if line.startswith(("+++", "---")):
            click.echo(styled(line, "strong"))
        elif line.startswith("+"):
            click.echo(styled(line, "good"))
        elif line.startswith("-"):
            click.echo(styled(line, "bad"))
        else:
            click.echo(line)


@dataclass(frozen=True, slots=True)
class Pair:
    """A client key, and the secret key behind it, which is shown once and kept nowhere.

    Args:
        client_key: The `pk_…` key.
        secret_key: The `sk_…` key.
    """

    client_key: str
    secret_key: str

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Pair({self.client_key})"

    @classmethod
    def make(cls, tenant_id: str, mode: Mode) -> Pair:
        """Make a pair for a tenant."""
        return cls(generate_client_key(tenant_id, mode), generate_secret_key(tenant_id, mode))

    def members(
        self, name: str | None, origins: tuple[str, ...], agent_id: str | None
    ) -> dict[str, Any]:
        """Return the pair as the file has it: the secret's hash alone."""
        return {
            "name": name or ("tests" if origins == TEST_ORIGINS else _name_of(origins)),
            "client_key": self.client_key,
            "secrets": [{"hash": hash_secret_key(self.secret_key)}],
            "domain_allowlist": list(origins),
            **({} if agent_id is None else {"agent_id": agent_id}),
        }


def _name_of(origins: tuple[str, ...]) -> str:
    return origins[0][:MAX_LABEL] if origins else "my site"


@contextmanager
def shown_once(editor: Editor, client_key: str) -> Iterator[None]:
    """Say what to do where a secret that is in force can't be shown: nobody will ever know it."""
    try:
        yield
    except OSError:  # a full disk, or a pipe that nobody reads
        how = editor.command("keys", "rotate", client_key, "--hours", "0")
        note(f"The new secret key was added, and couldn't be shown. Make another:\n  {how}")
        raise


def show_pair(editor: Editor, change: Change, pair: Pair) -> None:
    """Print a new pair and the snippet to paste, once."""
    if editor.dry_run:
        return
    record = change.registry.keys[pair.client_key]
    lines = snippet(pair.client_key, change.registry.issuer)
    if editor.as_json:
        print_json(
            {
                "tenant": record.tenant_id,
                "client_key": pair.client_key,
                "secret_key": pair.secret_key,
                "snippet": lines,
                "file": str(change.file),
            }
        )
        return
    click.echo(f"  client key   {pair.client_key}")
    click.echo(f"  secret key   {pair.secret_key}")
    if editor.quiet:
        return
    click.echo(
        "\nThe client key is public. The secret key is for the tenant's backend alone:\n"
        "it is shown this once and kept nowhere. The tenant pastes this into its pages:\n"
    )
    click.echo("\n".join(f"  {line}" for line in lines.splitlines()))
    click.echo(
        f"\nIt works on: {', '.join(e.text for e in record.key.domain_allowlist) or 'none yet'}"
    )
    if not record.key.domain_allowlist:
        click.echo(
            f"Next: {editor.command('origins', 'add', pair.client_key, 'https://example.com')}"
        )
    tell_what_to_fill_in(change.registry, change.file)
    editor.warn(change, record.tenant_id)


def tell_what_to_fill_in(registry: Registry, config: Path, connect_url: str | None = None) -> None:
    """Tell which addresses in a snippet are examples."""
    if registry.issuer is None:
        note(f"Note: for {EXAMPLE_SERVER} put your server's address;")
        note(f"      `issuer:` in {config} sets it.")
    if connect_url is None:
        note(f"Note: for {EXAMPLE_CONNECT_URL} put your agent's address.")
