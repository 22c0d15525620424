"""`kataven-flask doctor`: the real handshake against a running server, step by step."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any, Final

import click

from kataven_flask.cli.complete import complete_client_key
from kataven_flask.cli.options import json_option, url_option
from kataven_flask.cli.output import Tone, print_json, styled
from kataven_flask.doctor import WIDTH, Finding, State, Step, Target, examine
from kataven_flask.errors import ConfigurationError

SECRET_KEY_VARIABLE: Final = "KATAVEN_SECRET_KEY"  # noqa: S105 - its name
_SECRET_KEY: Final = re.compile(r"sk_[A-Za-z0-9_-]{1,200}")
_COLUMNS: Final = 80
_MARKS: Final[dict[State, tuple[str, Tone]]] = {
    "ok": ("✓", "good"),
    "warning": ("!", "warn"),
    "failed": ("✗", "bad"),
    "skipped": ("-", "dim"),
}


@click.command(short_help="Find out why the widget doesn't come up.")
@click.option(
    "--client-key",
    required=True,
    metavar="PK",
    shell_complete=complete_client_key,
    help="The pk_… key of the snippet.",
)
@click.option("--origin", required=True, help="The page's origin, such as https://acme.com.")
@url_option
@click.option("--agent", help="The agent, where the snippet names one (data-agent).")
@click.option(
    "--sign-in",
    is_flag=True,
    help=f"Sign a made-up user in, too. The secret key is taken from {SECRET_KEY_VARIABLE}, or"
    " asked for.",
)
@json_option
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    envvar="KATAVEN_QUIET",
    help="Print only what failed; see the exit code.",
)
def doctor(  # noqa: PLR0913 - an option each
    *,
    client_key: str,
    origin: str,
    url: str,
    agent: str | None,
    sign_in: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Find out why the widget doesn't come up: try the handshake as a browser would.

    It needs no access to the server's machine or files. It begins a guest's session, renews
    and ends it, and asks from an origin that has to be refused. Exit status: 0 where nothing
    failed, 1 where something did.

    \b
    Examples:
      kataven-flask doctor --client-key pk_live_acme_… --origin https://acme.com \\
        --url https://widget.example.com
      kataven-flask doctor --client-key pk_test_… --origin http://localhost:8001
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    target = Target.read(url, origin, client_key, agent)
    secret_key = _read_secret_key() if sign_in else None
    progress = _Progress(shown=not (as_json or quiet) and _is_terminal())
    if not (as_json or quiet):
        click.echo(f"{target.url}, as a page of {target.page} calls it\n")
    steps: list[Step] = []
    told: set[Finding] = set()
    for step in examine(target, secret_key=secret_key, begins=progress.show):
        progress.clear()
        steps.append(step)
        if not as_json and (not quiet or step.state == "failed"):
            click.echo("\n".join(_lines(step, told)))
    failed = any(step.state == "failed" for step in steps)
    if as_json:
        print_json(_as_json(target, steps))
    elif not quiet:
        click.echo("\n" + "\n".join(_verdict(target, steps)))
    sys.exit(1 if failed else 0)


def _read_secret_key() -> str:
    """Read the secret key from where no shell's history keeps it."""
    text = os.environ.get(SECRET_KEY_VARIABLE) or None
    if text is None and sys.stdin.isatty():
        text = click.prompt("Secret key (not shown)", hide_input=True, err=True)
    elif text is None:
        raise ConfigurationError(f"--sign-in: put the secret key into {SECRET_KEY_VARIABLE}")
    if not _SECRET_KEY.fullmatch(text.strip()):
        raise ConfigurationError("--sign-in: that is not a secret key; it begins with sk_")
    return text.strip()


# --- words


def _lines(step: Step, told: set[Finding]) -> Iterator[str]:
    """Yield a step's line and, under it, what is to be known; nothing is said twice."""
    mark, tone = _MARKS[step.state]
    status = "" if step.status is None else str(step.status)
    ms = "" if step.ms is None else f"{step.ms} ms"
    start = f"{step.name.ljust(WIDTH)}  {status:>3}  {ms:>8}  "
    summary = step.summary if step.code in {None, step.summary} else f"{step.summary} ({step.code})"
    first, *rest = _wrapped(summary, indent=len(start) + 4)
    line = f"{start}{first.lstrip()}"
    yield f"  {styled(mark, tone)} {styled(line, 'dim') if step.state == 'skipped' else line}"
    yield from rest
    for finding in step.findings:
        if finding not in told:
            told.add(finding)
            yield from _told(finding, quietly=step.state in {"ok", "skipped"})


def _told(finding: Finding, *, quietly: bool) -> Iterator[str]:
    for text in filter(None, (finding.meaning, finding.advice)):
        for line in _wrapped(text, indent=6):
            yield styled(line, "dim") if quietly else line
    if finding.command:
        yield f"        {styled(finding.command, 'strong')}"


def _wrapped(text: str, indent: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=space,
        subsequent_indent=space,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [space]


def _verdict(target: Target, steps: Iterable[Step]) -> Iterator[str]:
    failed = [step.name for step in steps if step.state == "failed"]
    warned = [step.name for step in steps if step.state == "warning"]
    no_guests = any(step.name == "guest" and step.state == "skipped" for step in steps)
    if failed:
        several = f"{len(failed)} steps failed; begin with {failed[0]}."
        yield styled(several if len(failed) > 1 else f"1 step failed: {failed[0]}.", "bad")
        return
    if target.is_mixed_content:
        yield styled("Nothing failed, but a browser blocks http in a page of https.", "warn")
        return
    warnings = f", with {len(warned)} warning{'s' * (len(warned) > 1)}" if warned else ""
    if no_guests and all(step.name != "exchange" for step in steps):
        yield styled(f"Nothing failed{warnings}, but a user's sign-in was not tried.", "warn")
        return
    yield styled(f"The widget comes up on {target.page}{warnings}.", "warn" if warned else "good")
    yield styled(
        "If it doesn't on your page: look for Content-Security-Policy in its console.", "dim"
    )


def _as_json(target: Target, steps: Iterable[Step]) -> dict[str, Any]:
    return {
        "ok": all(step.state != "failed" for step in steps),
        "url": target.url,
        "origin": str(target.page),
        "client_key": target.client_key,
        "agent_id": target.agent_id,
        "steps": [dataclasses.asdict(step) for step in steps],
    }


# --- what is under way


@dataclasses.dataclass(frozen=True, slots=True)
class _Progress:
    """The name of the step that is being taken, gone once it has been."""

    shown: bool

    def show(self, name: str) -> None:
        if self.shown:
            click.echo(f"  … {name}", err=True, nl=False)

    def clear(self) -> None:
        if self.shown:
            click.echo("\r\x1b[2K", err=True, nl=False)


def _is_terminal() -> bool:
    return sys.stdout.isatty() and sys.stderr.isatty()
