"""The tenants' files of a server for tests: a folder with one for each tenant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from kataven_flask.document.faults import Fault, FaultyDocumentError, Mark
from kataven_flask.errors import ConfigurationError
from kataven_flask.live import Live
from kataven_flask.registry import Registry, read_registry
from kataven_flask.tenants import DocumentLimits

NO_LIMITS: Final = dict.fromkeys(DocumentLimits.model_fields)
"""A test asks in a second what others ask in a minute."""
_TRIES: Final = 10
_HEAD: Final = "_server"
"""No tenant is called so."""
_SHORTER: Final = (("keys[0].domain_allowlist", "origins"), ("keys[0].", ""))
"""What a test has written in the place of what the file has."""


class Files:
    """Written by tests alone; a text in JSON is YAML.

    Args:
        folder: Where they go.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self._head: dict[str, Any] = {}
        self.forget()

    @property
    def tenants(self) -> set[str]:
        """The ids of the tenants that have a file."""
        return {file.stem for file in self.folder.glob("*.yaml")} - {_HEAD}

    def forget(self) -> None:
        """Remove all tenants, and what was set for all of them."""
        for file in self.folder.glob("*.yaml"):
            file.unlink()
        self._head = {"version": 1, "tenants": {}, "limits": NO_LIMITS}
        self._move_in(_HEAD, _text(self._head))

    def write(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Write a file for each of these tenants, unless one has faults.

        Raises:
            FaultyDocumentError: One has some; none of them was written.
        """
        texts = {
            name: _text({"version": 1, "tenants": {name: entry}}) for name, entry in entries.items()
        }
        try:
            read_registry(self.folder, {self._file(name): text for name, text in texts.items()})
        except FaultyDocumentError as error:
            raise FaultyDocumentError(map(_reworded, error.faults)) from None
        for name, text in texts.items():
            self._move_in(name, text)

    def set(self, members: Mapping[str, Any]) -> None:
        """Set what holds for all tenants: `issuer`, `audience`, `tokens`, `limits`."""
        limits = {**self._head["limits"], **members.get("limits", {})}
        self._head = {**self._head, **members, "limits": limits}
        self._move_in(_HEAD, _text(self._head))

    def take_over(self, live: Live[Registry]) -> None:
        """Have a server take over what stands in the files, now.

        Raises:
            ConfigurationError: It doesn't; the files are sound, or weren't written.
        """
        wanted = read_registry(self.folder)[0].revision
        for _ in range(_TRIES):
            live.reload()
            if live.current.revision == wanted:
                return
        raise live.fault or ConfigurationError("the tenants' files are changed by somebody else")

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    def _move_in(self, name: str, text: bytes) -> None:
        following = self.folder / f".{name}"
        following.write_bytes(text)
        following.replace(self._file(name))


def _text(document: Mapping[str, Any]) -> bytes:
    written = json.dumps(document, indent=1, ensure_ascii=False, default=_in_words)
    return written.encode()


def _in_words(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _reworded(fault: Fault) -> Fault:
    """Say where a fault is in the test's own words: it has written no file."""
    tenant_id = fault.mark.file.stem
    path = fault.path.removeprefix(f"tenants.{tenant_id}.")
    for written, word in _SHORTER:
        path = path.replace(written, word)
    return Fault(Mark(Path(f"tenant {tenant_id}")), path, fault.message)
