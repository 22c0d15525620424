"""`kataven-flask completion`: the script that has a shell complete the command line."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

_COMMAND: Final = "kataven-flask"
_VARIABLE: Final = "_KATAVEN_FLASK_COMPLETE"
_WHERE: Final = {
    "bash": (
        'eval "$(kataven-flask completion bash)"',
        "~/.bashrc",
        "~/.local/share/bash-completion/completions/kataven-flask",
    ),
    "zsh": (
        'eval "$(kataven-flask completion zsh)"',
        "~/.zshrc, after `compinit`",
        "_kataven-flask in a folder of $fpath",
    ),
    "fish": (
        "kataven-flask completion fish | source",
        "~/.config/fish/config.fish",
        "~/.config/fish/completions/kataven-flask.fish",
    ),
}


@click.command(short_help="Complete commands in bash, zsh or fish.")
@click.argument("shell", type=click.Choice(list(_WHERE)))
def completion(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options and values.

    Tenants, client keys, agents and allowlist entries are completed from the file that
    --config or KATAVEN_CONFIG names. Put the line for your shell into its start file:

    \b
      bash  ~/.bashrc                   eval "$(kataven-flask completion bash)"
      zsh   ~/.zshrc, after compinit    eval "$(kataven-flask completion zsh)"
      fish  ~/.config/fish/config.fish  kataven-flask completion fish | source

    \b
    Example:
      eval "$(kataven-flask completion bash)"
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    line, start_file, own_file = _WHERE[shell]
    root = click.get_current_context().find_root().command
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has had all three since 8.0
    # First click's own: zsh reads its `#compdef` in the first line alone.
    click.echo(kind(root, {}, _COMMAND, _VARIABLE).source().strip())
    click.echo(f"\n# In {start_file}:\n#   {line}\n# Or keep this script as {own_file}")
