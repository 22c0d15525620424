"""New YAML, written as the shipped file is: lists indented, double quotes where any are needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import yaml

_LAST_PLAIN: Final = "\uffff"
"""PyYAML writes what is above in double quotes as an escape."""
_TIME: Final = "tag:yaml.org,2002:timestamp"


def block(value: object) -> str:
    """Write a value in lines.

    Args:
        value: Plain mappings, lists and scalars.

    Returns:
        YAML without a newline at its end.
    """
    return _dump(value, flow=False)


def flow(value: object) -> str:
    """Write a value in one line, so that it may stand behind a name.

    Args:
        value: Plain mappings, lists and scalars.

    Returns:
        YAML without a newline at its end.
    """
    return _dump(value, flow=True)


def _dump(value: object, *, flow: bool) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return text.removesuffix("...\n").removesuffix("\n")


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's own
        super().increase_indent(flow, False)

    def choose_scalar_style(self) -> str:
        if getattr(self.event, "tag", None) == _TIME:
            return ""  # its colons are no reason for quotes, which would need a tag before them
        style = super().choose_scalar_style()
        is_plain = all(c <= _LAST_PLAIN for c in getattr(self.event, "value", ""))
        return '"' if style == "'" and is_plain else str(style)


def _timestamp(dumper: yaml.SafeDumper, time: datetime) -> yaml.ScalarNode:
    text = time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return dumper.represent_scalar(_TIME, text)


_Dumper.add_representer(datetime, _timestamp)
