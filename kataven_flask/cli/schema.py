"""`kataven-flask schema`: the tenants' file, as an editor knows it."""

from __future__ import annotations

from pathlib import Path

import click

from kataven_flask.cli.output import note
from kataven_flask.document.schema import schema_text
from kataven_flask.errors import ConfigurationError


@click.command(short_help="Write the file's JSON Schema, for editors.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write it to this file instead of printing it.",
)
def schema(output: Path | None) -> None:
    """Write the JSON Schema of the tenants' file, by which an editor completes and checks it.

    Put it beside the tenants' file, whose first line names it:

    \b
      # yaml-language-server: $schema=./tenants.schema.json

    VS Code (with the YAML extension of Red Hat), Neovim, Helix, Zed and others read that
    line: they complete members, explain the one under the cursor and mark mistakes.

    \b
    Examples:
      kataven-flask schema --output config/tenants.schema.json
      kataven-flask schema | less
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    text = schema_text()
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{output}: can't be written ({error.strerror})") from error
    note(f"Wrote {output}. Begin the tenants' file beside it with this line:")
    click.echo(f"# yaml-language-server: $schema=./{output.name}")
