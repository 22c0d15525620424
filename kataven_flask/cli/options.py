"""Options that several commands share; each is read from the environment too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kataven_flask.settings import DEFAULT_CONFIG, DEFAULT_INSTANCE


class _File(click.Path):
    """A path that isn't empty: `--config "$UNSET"` names no file, and least of all this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty; is the variable set?", param, ctx)
        return super().convert(value, param, ctx)


config_option = click.option(
    "--config",
    type=_File(path_type=Path),
    default=DEFAULT_CONFIG,
    show_default=True,
    envvar="KATAVEN_CONFIG",
    show_envvar=True,
    help="The tenants' file, or a folder of such files.",
)

instance_option = click.option(
    "--instance",
    type=click.Path(path_type=Path),
    default=DEFAULT_INSTANCE,
    show_default=True,
    envvar="KATAVEN_INSTANCE",
    show_envvar=True,
    help="The folder of the signing keys; made at the first start, for this user alone.",
)

state_option = click.option(
    "--state",
    envvar="KATAVEN_STATE",
    show_envvar=True,
    help="What was spent and revoked: sqlite:///path, redis://…, rediss://… or memory:"
    "  [default: state.db in the instance folder]",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Print no more than what was asked for; see the exit code."
)

url_option = click.option(
    "--url",
    default="http://127.0.0.1:8000",
    show_default=True,
    envvar="KATAVEN_URL",
    show_envvar=True,
    help="Where the server is reached.",
)

dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Show the change as a diff, and write nothing."
)

yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask whether it is meant.")
