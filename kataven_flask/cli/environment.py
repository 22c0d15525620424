"""An environment variable for each option, but for what a person has to type."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Final

import click

from kataven_flask.variables import PREFIX

TYPED: Final = {
    "keys revoke": {"secret", "yes"},
    "sessions revoke": {"tenant", "user", "session", "key"},
    "signing-keys prune": {"leaked"},
    "signing-keys rotate": {"at_once", "leaked"},
    "tenants remove": {"yes"},
}
"""What ends something for somebody, or answers the question whether to: a variable that was left
behind in a shell or a file would say it again, unseen."""
RULE: Final = """\
\b
Environment:
  Each option is read from a variable, too; --help names it. What is typed
  wins. An empty variable counts as not set. A switch takes 1 or 0, true or
  false, yes or no, on or off; where an option may be repeated, blanks stand
  between the values. What ends something (--yes, --leaked, --at-once, and
  what a `revoke` is about) is read from the command line alone."""
_WIDTH: Final = 78


def add_variables(command: click.Command, *path: str) -> None:
    """Give each option of a command, and of those under it, its variable.

    Args:
        command: The command; its help gets a line on those that no option names.
        *path: The words that call it, without the first.
    """
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            add_variables(inner, *path, name)
        return
    typed = TYPED.get(" ".join(path), set())
    prefix = PREFIX + "".join(f"{word.upper().replace('-', '_')}_" for word in path)
    own, shared = {}, []
    for option in command.params:
        if not isinstance(option, click.Option) or option.show_envvar or option.name in typed:
            continue
        if option.envvar is None:
            long = max(option.opts, key=len)
            option.envvar = prefix + long.removeprefix("--").upper().replace("-", "_")
            own[long] = option.envvar
        else:
            shared.append(str(option.envvar))
    command.epilog = _line(prefix, own, shared)


def _line(prefix: str, own: Mapping[str, str], shared: Sequence[str]) -> str | None:
    """Name the variables of a command that its options don't name: the whole word, if it's one."""
    names = [", ".join(shared)] if shared else []
    if own:
        name = f"{prefix}…" if len(own) > 1 else next(iter(own.values()))
        names.insert(0, f"{name} for {', '.join(own)}")
    if not names:
        return None
    text = f"Environment: {'; '.join(names)}."
    return "\b\n" + textwrap.fill(text, _WIDTH, break_on_hyphens=False, subsequent_indent="  ")
