"""What is wrong with a document, each fault with the place to mend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from kataven_flask import keys
from kataven_flask.errors import ConfigurationError
from kataven_flask.origins import OriginPattern, OriginPatternError
from kataven_flask.text import printable

DocumentPath: TypeAlias = tuple[str | int, ...]

_MAX_STEP: Final = 64
_MAX_SHOWN: Final = 1000
"""Characters of a name, and of a message: a file may hold anything, and it is all printed."""
_MAX_LISTED: Final = 8


class Mark(NamedTuple):
    """A place in a file.

    Args:
        file: The file.
        line: From 1; 0 where the file as a whole is meant.
        column: From 1; 0 where the file as a whole is meant.
    """

    file: Path
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        file = shown(str(self.file))
        return f"{file}:{self.line}:{self.column}" if self.line else file


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing to mend.

    What it repeats of the file is safe to print: on one line, and without a secret key.

    Args:
        mark: Where.
        path: The member, for example `tenants.acme.keys[0].client_key`.
        message: What is wrong and what to write instead.
    """

    mark: Mark
    path: str
    message: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", shown(self.path))
        object.__setattr__(self, "message", shown(self.message))

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.mark), self.path, self.message)))


class FaultyDocumentError(ConfigurationError):
    """The document can't be used.

    Args:
        faults: All that is wrong with it, in the order of the file.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


class Marks:
    """Where each member of a document stands, and the comment in the place of an empty one."""

    def __init__(self, document: Mark) -> None:
        self._document = document
        self.comments: dict[DocumentPath, str] = {}
        self._marks: dict[DocumentPath, Mark] = {}

    def __setitem__(self, path: DocumentPath, mark: Mark) -> None:
        self._marks[path] = mark

    def update(self, other: Marks) -> None:
        """Take over another file's places."""
        self._marks.update(other._marks)
        self.comments.update(other.comments)

    def at(self, path: DocumentPath) -> Mark:
        """Return where a member stands, or the nearest one around it that stands in a file."""
        for length in range(len(path), -1, -1):
            if mark := self._marks.get(path[:length]):
                return mark
        return self._document

    def fault(self, path: DocumentPath, message: str) -> Fault:
        """Make a fault at a member, or at the nearest one around it that stands in a file."""
        return Fault(self.at(path), path_text(path), message)


def path_text(path: DocumentPath) -> str:
    """Write a path the way a person would, for example `tenants.acme.keys[0].name`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{shown(step, _MAX_STEP)}"
    return text.removeprefix(".")


def shown(text: str, limit: int = _MAX_SHOWN) -> str:
    """Write what a file holds so that it can be printed: no secret key, no control character."""
    return printable(keys.redacted(text), limit)


def did_you_mean(written: object, names: Iterable[str]) -> str:
    """Return `did you mean …?` for the name that comes nearest, or nothing."""
    near = get_close_matches(str(written)[:_MAX_STEP].lower(), [*names], n=1)
    return f"did you mean {near[0]}?" if near else ""


# --- what only two places of a document together show


def cross_faults(document: Mapping[str, Any], marks: Marks) -> Iterator[Fault]:
    """Find what no model can see by itself.

    It reads the plain document, of whatever shape, so that these faults are reported
    together with those of the models.

    Args:
        document: The plain document.
        marks: Where its members stand.

    Yields:
        The faults.
    """
    seen: dict[str, DocumentPath] = {}
    for tenant_id, tenant in _mapping(document.get("tenants")).items():
        path: DocumentPath = ("tenants", tenant_id)
        agents = _mapping(_mapping(tenant).get("agents"))
        default = _mapping(tenant).get("default_agent")
        if isinstance(default, str) and default not in agents:
            yield marks.fault((*path, "default_agent"), _no_such_agent(default, agents))
        for index, key in enumerate(_sequence(_mapping(tenant).get("keys"))):
            yield from _key_faults(_mapping(key), (*path, "keys", index), agents, marks, seen)


def _key_faults(
    key: Mapping[str, Any],
    path: DocumentPath,
    agents: Mapping[str, Any],
    marks: Marks,
    seen: dict[str, DocumentPath],
) -> Iterator[Fault]:
    agent = key.get("agent_id")
    if isinstance(agent, str) and agent not in agents:
        yield marks.fault((*path, "agent_id"), _no_such_agent(agent, agents))
    for place, text in _identities(key, path):
        if (first := seen.setdefault(text, place)) != place:
            where = f"{path_text(first)} (line {marks.at(first).line})"
            yield marks.fault(place, f"stands already at {where}; make another with `keys create`")
    name = keys.parse_client_key(str(key.get("client_key")))
    if name is None:
        return
    if name.tenant != path[1]:
        message = f"belongs to tenant {name.tenant!r} by its name; make one for {path[1]!r}"
        yield marks.fault((*path, "client_key"), message)
    if name.mode == "test":
        yield from _test_key_faults(key, path, marks)


def _identities(key: Mapping[str, Any], path: DocumentPath) -> Iterator[tuple[DocumentPath, str]]:
    if isinstance(text := key.get("client_key"), str):
        yield (*path, "client_key"), text
    for index, secret in enumerate(_sequence(key.get("secrets"))):
        if isinstance(text := _mapping(secret).get("hash"), str):
            yield (*path, "secrets", index, "hash"), text


def _test_key_faults(key: Mapping[str, Any], path: DocumentPath, marks: Marks) -> Iterator[Fault]:
    for index, entry in enumerate(_sequence(key.get("domain_allowlist"))):
        try:
            loopback = OriginPattern.parse(str(entry)).is_loopback
        except OriginPatternError:
            continue
        if not loopback:
            message = "a pk_test_ key takes loopback hosts alone; use a pk_live_ key here"
            yield marks.fault((*path, "domain_allowlist", index), message)


def _no_such_agent(agent: str, agents: Mapping[str, Any]) -> str:
    names = [*agents]
    listed = ", ".join([*names[:_MAX_LISTED], *["…"] * (len(names) > _MAX_LISTED)])
    told = f"no agent {shown(agent, _MAX_STEP)!r} here; this tenant has: {listed or 'none'}"
    return "; ".join(filter(None, (told, did_you_mean(agent, names))))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
