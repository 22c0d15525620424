"""`kataven-flask origins`: where a client key may be used, and why it may not."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.changes import Editor
from kataven_flask.cli.complete import complete_client_key, complete_entry
from kataven_flask.cli.explanation import find_out, finding_as_json, print_finding
from kataven_flask.cli.key_choice import described, find_record
from kataven_flask.cli.options import config_option, dry_run_option, json_option, quiet_option
from kataven_flask.cli.output import note, print_json
from kataven_flask.cli.reading import read_tenants
from kataven_flask.document.editing import add_origins, remove_origins
from kataven_flask.errors import ConfigurationError
from kataven_flask.keys import redacted
from kataven_flask.typed_origin import read_typed_origin


@click.group(short_help="Say where a client key may be used; ask why it may not.")
def origins() -> None:
    """Say on which sites a client key may be used, and ask why one is refused."""


@origins.command()
@click.argument("client_key", shell_complete=complete_client_key)
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
      kataven-flask origins add pk_live_acme_… "*.acme.net" https://acme.com:8443
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    editor = Editor(config, dry_run, quiet)
    change = editor.change(lambda registry: add_origins(find_record(registry, client_key), entries))
    record = find_record(change.registry, client_key)
    editor.say(f"Added to {described(record)}\nin {change.file}; servers have it in two seconds.")
    editor.warn(change, record.tenant_id)


@origins.command(short_help="Admit origins no more.")
@click.argument("client_key", shell_complete=complete_client_key)
@click.argument(
    "entries", metavar="ENTRY...", nargs=-1, required=True, shell_complete=complete_entry
)
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
    change = editor.change(
        lambda registry: remove_origins(find_record(registry, client_key), entries)
    )
    record = find_record(change.registry, client_key)
    editor.say(f"Removed from {described(record)}\nin {change.file};")
    editor.say("sessions begun there end at their next refresh.")
    if not record.key.domain_allowlist:
        editor.say("Its allowlist is empty now: the key works nowhere.")


@origins.command("explain", short_help="Say why a page gets 403, and what would admit it.")
@click.argument("client_key", shell_complete=complete_client_key)
@click.argument("origin")
@config_option
@json_option
@quiet_option
def explain_(client_key: str, origin: str, config: Path, *, as_json: bool, quiet: bool) -> None:
    """Say why a page on ORIGIN gets 403, or that it doesn't, and what would admit it.

    CLIENT_KEY is the pk_… key of the page's snippet, the beginning of one, or its name in the
    file. ORIGIN may be pasted as it comes: a page's whole address, or a bare host. It reads the
    tenants' file alone; no server is asked.

    Exit status: 0 if such a page is served, 1 if it is refused.

    \b
    Examples:
      kataven-flask origins explain pk_live_acme_… https://www.acme.com
      kataven-flask origins explain "acme.com production" localhost:3000
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    if origin != redacted(origin):
        raise ConfigurationError(
            "this origin has a secret key in it, and now it is in your shell's history: rotate"
            " that key"
        )
    if origin.startswith("pk_"):
        raise ConfigurationError("the key comes first, and then the origin")
    record = find_record(read_tenants(config), client_key)
    if client_key.startswith("pk_") and client_key != record.key.client_key:
        note(f"Note: read as the beginning of {record.key.client_key}.")
        note("A page with no more of it than that is refused: unknown_client_key.\n")
    found = find_out(record, read_typed_origin(origin), config)
    if as_json:
        print_json(finding_as_json(found))
    elif not quiet:
        print_finding(found)
    if not found.is_served:
        click.get_current_context().exit(1)
