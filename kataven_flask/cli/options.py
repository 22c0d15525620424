"""Options that several commands share; each is read from the environment too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kataven_flask.whereabouts import DEFAULT_CONFIG, DEFAULT_INSTANCE, find_config, find_instance

_EMPTY = "it is empty; is the variable set?"


class _File(click.Path):
    """A path that isn't empty: `--config "$UNSET"` names no file, and least of all this folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


class Text(click.types.StringParamType):
    """A text that isn't empty: `--state "$UNSET"` would be a store of this host's own."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is empty."""
        if value == "":
            self.fail(_EMPTY, param, ctx)
        return super().convert(value, param, ctx)


def _instance(context: click.Context, _: click.Parameter, said: Path | None) -> Path:
    if said is not None:
        return said
    if context.resilient_parsing:  # somebody types; nothing may fail
        return DEFAULT_INSTANCE
    return find_instance(context.params.get("config") or find_config())


config_option = click.option(
    "--config",
    type=_File(path_type=Path),
    default=find_config,
    envvar="KATAVEN_CONFIG",
    show_envvar=True,
    is_eager=True,  # the instance folder goes with it
    help="The tenants' file, or a folder of such files."
    f"  [default: {DEFAULT_CONFIG}, else the user's, else the machine's]",
)

instance_option = click.option(
    "--instance",
    type=_File(path_type=Path),
    callback=_instance,
    envvar="KATAVEN_INSTANCE",
    show_envvar=True,
    help="The folder of the signing keys; made at the first start, for this user alone."
    f"  [default: {DEFAULT_INSTANCE}, or the user's or the machine's, where the file is theirs]",
)

state_option = click.option(
    "--state",
    type=Text(),
    envvar="KATAVEN_STATE",
    show_envvar=True,
    help="What was spent and revoked: sqlite:///path, redis://…, rediss://… or memory:"
    "  [default: state.db in the instance folder]",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, envvar="KATAVEN_JSON", help="Print JSON, for scripts."
)

quiet_option = click.option(
    "-q",
    "--quiet",
    is_flag=True,
    envvar="KATAVEN_QUIET",
    help="Print no more than what was asked for; see the exit code.",
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
    "-n",
    "--dry-run",
    is_flag=True,
    envvar="KATAVEN_DRY_RUN",
    help="Show the change as a diff, and write nothing.",
)

yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask whether it is meant.")
