"""`kataven-flask check`: read the tenants' file as the server would."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import click

from kataven_flask.cli.options import config_option, quiet_option
from kataven_flask.cli.output import counted, print_json, styled
from kataven_flask.cli.progress import patience
from kataven_flask.document.advice import advice
from kataven_flask.document.faults import Fault, FaultyDocumentError
from kataven_flask.registry import Registry, read_registry

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class _Result:
    """What was found.

    Args:
        config: What was read.
        registry: What it gives; None where it has faults.
        faults: What keeps it from being used.
        warnings: What is worth a look.
    """

    config: Path
    registry: Registry | None
    faults: Sequence[Fault]
    warnings: Sequence[Fault]

    @property
    def found(self) -> list[tuple[Severity, Fault]]:
        """Everything, each with how grave it is."""
        return [
            *(("error", fault) for fault in self.faults),
            *(("warning", warning) for warning in self.warnings),
        ]


@click.command(short_help="Print every fault of the tenants' file.")
@config_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For a person, a script, or annotations in GitHub Actions.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning too.")
@quiet_option
def check(config: Path, form: str, *, strict: bool, quiet: bool) -> None:
    """Print every fault of the tenants' file with its place, and what to write instead.

    A running server takes no file with a fault. Warnings tell what it takes and you may not
    mean: a key that ends within 14 days, an agent that no key reaches, a tenant whose users
    can't sign in, one of several agents without a default, an origin on http, an origin that
    stands twice, a host without a dot.

    Exits with 0 where the file can be used, 1 where it has a fault (or, with --strict, a
    warning), 2 for a wrong option. --quiet leaves out the summary, and warnings too unless
    they count.

    \b
    Examples:
      kataven-flask check
      kataven-flask check --config new-tenants.yaml --strict
      kataven-flask check --format github        # in a workflow
      kataven-flask check --format json | jq '.findings[].message'
    """  # noqa: D301 - click's own mark for lines that it mustn't join
    result = _read(config, datetime.now(UTC))
    if quiet and not strict:
        result = _Result(config, result.registry, result.faults, ())
    _PRINTERS[form](result)
    failed = bool(result.faults or (strict and result.warnings))
    if form == "text" and not quiet:
        _summarize(result, strict=strict)
    if failed:
        raise click.exceptions.Exit(1)


def _read(config: Path, now: datetime) -> _Result:
    try:
        with patience(f"reading {config}"):
            registry, plain = read_registry(config)
    except FaultyDocumentError as error:
        return _Result(config, None, error.faults, ())
    return _Result(config, registry, (), advice(registry, plain.marks, now))


# --- for a person


def _print_text(result: _Result) -> None:
    for severity, found in result.found:
        parts = [styled(str(found.mark), "strong")]
        if severity == "warning":
            parts.append(styled(severity, "warn"))
        if found.path:
            parts.append(styled(found.path, "bad") if severity == "error" else found.path)
        click.echo(": ".join([*parts, found.message]))


def _summarize(result: _Result, *, strict: bool) -> None:
    warnings = counted(len(result.warnings), "warning")
    if result.registry is None:
        raise click.ClickException(f"{counted(len(result.faults), 'fault')} in {result.config}")
    if strict and result.warnings:
        raise click.ClickException(f"{warnings} in {result.config}, and --strict takes none")
    tenants, keys = len(result.registry.tenants), len(result.registry.keys)
    click.echo(
        f"{result.config} {styled('is sound', 'good')}: {counted(tenants, 'tenant')},"
        f" {counted(keys, 'client key')}{f', {warnings}' if result.warnings else ''}"
        f" (revision {result.registry.revision})"
    )


# --- for a script


def _print_json(result: _Result) -> None:
    registry = result.registry
    print_json(
        {
            "sound": registry is not None,
            "revision": registry and registry.revision,
            "tenants": registry and len(registry.tenants),
            "client_keys": registry and len(registry.keys),
            "findings": [_as_json(severity, found) for severity, found in result.found],
        }
    )


def _as_json(severity: Severity, found: Fault) -> dict[str, Any]:
    return {
        "severity": severity,
        "file": str(found.mark.file),
        "line": found.mark.line or None,
        "column": found.mark.column or None,
        "path": found.path,
        "message": found.message,
    }


# --- for GitHub Actions


def _print_github(result: _Result) -> None:
    """Print workflow commands, which GitHub shows at the lines of a change."""
    for severity, found in result.found:
        place = {"file": _relative(found.mark.file)}
        if found.mark.line:
            place |= {"line": str(found.mark.line), "col": str(found.mark.column)}
        place |= {"title": found.path or "tenants"}
        members = ",".join(f"{name}={_property(value)}" for name, value in place.items())
        click.echo(f"::{severity} {members}::{_data(found.message)}")


def _relative(file: Path) -> str:
    """Name a file as from the folder that the workflow runs in, where it lies in it."""
    whole = Path(os.path.abspath(file))  # noqa: PTH100 - it takes .. out and follows no link
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_PRINTERS: Final[dict[str, Callable[[_Result], None]]] = {
    "text": _print_text,
    "json": _print_json,
    "github": _print_github,
}
