"""The demo's own copy of the tenants' file, which its visitor may edit while all of it runs."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from kataven_flask.document import yaml_splice
from kataven_flask.document.config_file import change_config
from kataven_flask.document.editing import Edit
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import KeyRecord, Registry, load_registry

COLORS: Final = ("#5b2c14", "#1d4f91", "#17643f")
"""What the visitor may paint the widget in, one after the other."""
LABELS: Final = ("Ask the barista", "Coffee? Ask away")
TAKE_UP_SECONDS: Final = 4.0
"""The server promises two."""
_LOOK_SECONDS: Final = 0.05


def copied(config: Path, folder: Path) -> Path:
    """Copy a tenants' file, or a folder of such files, and return the copy.

    Args:
        config: The file, or the folder.
        folder: Where the copy goes; it is made.

    Raises:
        ConfigurationError: It can't be used; the faults are told by their place in the original.
    """
    load_registry(config)
    folder.mkdir()
    copy = folder / (config.name or "tenants")
    if config.is_dir():
        shutil.copytree(config, copy, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(config, copy)
    return copy


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit came to.

    Args:
        diff: The lines that changed, without the file's name.
        seconds: How long the running server took to have it in force; None if it hasn't yet.
    """

    diff: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class OwnFile:
    """The copy, and the server that reads it.

    Args:
        path: The file, or the folder.
        client_key: The key whose tenant the edits are about.
        registry: Gives what the server has in force.
    """

    path: Path
    client_key: str
    registry: Callable[[], Registry]

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.path.name

    @property
    def key_is_on(self) -> bool:
        """Whether the key is there, and enabled."""
        record = self.registry().keys.get(self.client_key)
        return record is not None and record.key.enabled

    def edit(self, name: str) -> Edited:
        """Make one of the edits, and wait until the server has it in force.

        Args:
            name: Which, a member of EDITS.

        Raises:
            KeyError: There is no such edit.
            ConfigurationError: It can't be made; nothing was written.

        Returns:
            What was changed.
        """
        change = change_config(self.path, partial(self._plan, EDITS[name]))
        diff = "".join(change.diff().splitlines(keepends=True)[2:])
        return Edited(diff, self._seconds_until(change.registry.revision))

    def _plan(self, edit: Callable[[KeyRecord], Edit], registry: Registry) -> Edit:
        record = registry.keys.get(self.client_key)
        if record is None:
            raise ConfigurationError(f"{self.name}: {self.client_key} isn't in it any longer")
        return edit(record)

    def _seconds_until(self, revision: str) -> float | None:
        began = time.monotonic()
        pause = threading.Event()
        while self.registry().revision != revision:
            if time.monotonic() - began > TAKE_UP_SECONDS:
                return None
            pause.wait(_LOOK_SECONDS)
        return round(time.monotonic() - began, 2)


def _another_color(record: KeyRecord) -> Edit:
    now = record.tenant.branding.primary_color
    return _put(record, "branding", "primary_color", value=_after(COLORS, now))


def _another_label(record: KeyRecord) -> Edit:
    now = record.tenant.branding.launcher_label
    return _put(record, "branding", "launcher_label", value=_after(LABELS, now))


def _switched_key(record: KeyRecord) -> Edit:
    place = ("keys", record.tenant.keys.index(record.key), "enabled")
    return _put(record, *place, value=not record.key.enabled)


EDITS: Final = {"color": _another_color, "label": _another_label, "key": _switched_key}


def _after(values: tuple[str, ...], now: str | None) -> str:
    """Return the one after what is there now; the second where that is none of them."""
    index = values.index(now) if now in values else 0
    return values[(index + 1) % len(values)]


def _put(record: KeyRecord, *place: str | int, value: Any) -> Edit:
    path = ("tenants", record.tenant_id, *place)
    return Edit(record.tenant_id, lambda text: yaml_splice.put(text, path, value))
