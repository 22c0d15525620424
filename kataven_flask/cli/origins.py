"""`kataven-flask origins`: where a client key may be used."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.changes import Editor
from kataven_flask.cli.options import config_option, dry_run_option, quiet_option
from kataven_flask.editing import add_origins, find_key, remove_origins


@click.group()
def origins() -> None:
    """Say on which sites a client key may be used."""


@origins.command()
@click.argument("client_key")
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
@config_option
@dry_run_option
@quiet_option
def add(
    client_key: str, entries: tuple[str, ...], config: Path, *, dry_run: bool, quiet: bool
) -> None:
    """Admit origins: add each ENTRY to the allowlist of CLIENT_KEY.

    An entry is scheme://host or scheme://host:port; acme.com means https://acme.com, and
    *.acme.com any host under it (in quotes, or the shell may take the *).

    \b
    Examples:
      kataven-flask origins add pk_live_acme_… https://www.acme.com
      kataven-flask origins add pk_live_acme_… "*.acme.com" https://acme.com:8443
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)
    change = editor.change(lambda registry: add_origins(find_key(registry, client_key), entries))
    editor.say(f"Added to {change.file}; running servers have it in two seconds.")


@origins.command()
@click.argument("client_key")
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
@config_option
@dry_run_option
@quiet_option
def remove(
    client_key: str, entries: tuple[str, ...], config: Path, *, dry_run: bool, quiet: bool
) -> None:
    """Admit origins no more: take each ENTRY out of the allowlist of CLIENT_KEY.

    Sessions that were begun there end at their next refresh.

    \b
    Examples:
      kataven-flask origins remove pk_live_acme_… https://www.acme.com
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)
    change = editor.change(lambda registry: remove_origins(find_key(registry, client_key), entries))
    editor.say(f"Removed from {change.file}; sessions begun there end at their next refresh.")
    if not change.registry.keys[client_key].key.domain_allowlist:
        editor.say("Its allowlist is empty now: the key works nowhere.")
