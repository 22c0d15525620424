"""The tenants' file changed by a command: whole, under a lock, and only into one that loads.

The new text is read the way the server would read it before a byte is written. Then it is
written beside the file and moved over it, so that whoever reads finds the old or the new.
"""

from __future__ import annotations

import difflib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from kataven_flask.document.editing import NEW_DOCUMENT, Edit
from kataven_flask.document.faults import FaultyDocumentError, Marks
from kataven_flask.document.yaml_files import PlainDocument
from kataven_flask.errors import ConfigurationError
from kataven_flask.registry import Registry, empty_registry, read_registry

Plan: TypeAlias = Callable[[Registry], Edit]
"""Gives the edit for what is in force; it may raise to leave all as it is."""
_MODE: Final = 0o644
"""Of a file that is made: it holds hashes and no secret."""
_ACL: Final = "system.posix_acl_access"
"""Where Linux keeps an access list (acl(5))."""
_WHAT_TO_DO: Final = {
    errno.EBUSY: "it is a mount of its own: mount its folder instead",
    errno.EROFS: "change it where it comes from",
    errno.EACCES: "run the command as a user who may write this folder",
    errno.EPERM: "run the command as the file's owner, or it would have another one",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit makes of a file.

    Args:
        file: The file.
        before: Its text so far; empty where it is made.
        after: Its new text.
        registry: What the server will then read.
        marks: Where everything stands then.
    """

    file: Path
    before: str
    after: str
    registry: Registry
    marks: Marks

    def diff(self) -> str:
        """Return the change as a unified diff."""
        old, new = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        name = str(self.file)
        return "".join(
            line if line.endswith("\n") else line + "\n"
            for line in difflib.unified_diff(old, new, name if old else "/dev/null", name)
        )


def change_config(config: Path, plan: Plan, *, dry_run: bool = False) -> Change:
    """Change the tenants' file, one process at a time.

    Args:
        config: One YAML file, or a folder of them.
        plan: Gives the edit for what is in force; it may raise to leave all as it is.
        dry_run: Whether nothing is written.

    Raises:
        ConfigurationError: The edit can't be made; nothing was written.

    Returns:
        What was changed, or would be.
    """
    with _faults_told(config):
        folder = _folder_of(config)
        if not (dry_run or folder.exists()):
            change_config(config, plan, dry_run=True)  # for what fails no folder is made
        with _locked(folder, make=not dry_run):
            registry, plain = _read(config)
            edit = plan(registry)
            file = _file_of(config, edit, plain)
            raw = file.read_bytes() if file.exists() else None
            before = "" if raw is None else _decoded(file, raw)
            after = edit.apply(before or NEW_DOCUMENT)
            changed, marks = _loaded(config, file, after)
            if not dry_run and after != before:
                _write(file, raw, after.encode())
    return Change(file, before, after, changed, marks)


def _read(config: Path) -> tuple[Registry, PlainDocument | None]:
    if not (any(config.iterdir()) if config.is_dir() else config.exists()):
        return empty_registry(), None
    try:
        return read_registry(config)
    except FaultyDocumentError as error:
        raise ConfigurationError(f"mend these first, by hand:\n{error}") from error


def _file_of(config: Path, edit: Edit, plain: PlainDocument | None) -> Path:
    """Return the file in which a tenant stands; in a folder a new one gets its own."""
    if edit.is_new_tenant and config.is_dir():
        file = config / f"{edit.tenant_id}.yaml"
        if file.exists():
            raise ConfigurationError(f"{file}: stands already; add the tenant there by hand")
        return file
    return config if plain is None else plain.marks.at(("tenants", edit.tenant_id)).file


def _decoded(file: Path, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: save it in UTF-8 first") from error


def _loaded(config: Path, file: Path, after: str) -> tuple[Registry, Marks]:
    """Read what is about to be written as the server would."""
    try:
        registry, plain = read_registry(config, {file: after.encode()})
    except FaultyDocumentError as error:
        faults = "\n".join(f"{fault.path}: {fault.message}" for fault in error.faults)
        raise ConfigurationError(f"nothing was written, as it wouldn't load:\n{faults}") from error
    return registry, plain.marks


# --- the file system


@contextmanager
def _faults_told(config: Path) -> Iterator[None]:
    """Tell a person what went wrong in the file system, and what to do."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = _WHAT_TO_DO.get(error.errno or 0)
        told = "; ".join(filter(None, (f"{config}: nothing was written ({reason})", hint)))
        raise ConfigurationError(told) from error


def _folder_of(config: Path) -> Path:
    """Return the folder that is locked; a pipe or a device can be read, and not be changed."""
    try:
        mode = config.stat().st_mode
    except FileNotFoundError:
        return config.resolve().parent
    if stat.S_ISDIR(mode):
        return config.resolve()
    if not stat.S_ISREG(mode):
        raise ConfigurationError(f"{config}: is no file, but a pipe or a device; name a file")
    return config.resolve().parent


@contextmanager
def _locked(folder: Path, *, make: bool) -> Iterator[None]:
    """Hold the folder's lock."""
    with ExitStack() as held:
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _write(file: Path, before: bytes | None, after: bytes) -> None:
    """Move the new content over the old, which keeps its place, its owner and its mode."""
    target = file.resolve()  # where it is a link, the link stays
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", suffix=".next", delete=False
    ) as beside:
        try:
            beside.write(after)
            _take_over_rights(target, beside.fileno())
            beside.flush()
            os.fsync(beside.fileno())
            _require_unchanged(target, before)
            Path(beside.name).replace(target)
        except BaseException:
            Path(beside.name).unlink()
            raise


def _require_unchanged(target: Path, before: bytes | None) -> None:
    """An editor takes no lock; what a person saved meanwhile is not written over."""
    if (target.read_bytes() if target.exists() else None) != before:
        raise ConfigurationError(f"{target}: was edited meanwhile; run the command again")


def _take_over_rights(target: Path, descriptor: int) -> None:
    if not target.exists():
        os.fchmod(descriptor, _MODE)
        return
    old, new = target.stat(), os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    _take_over_attributes(target, descriptor)
    os.fchmod(descriptor, old.st_mode & 0o7777)


def _take_over_attributes(target: Path, descriptor: int) -> None:
    """Keep the access list: without it a server may not read, and the group may."""
    old, new = _attributes(target), _attributes(descriptor)
    if _ACL in new.keys() - old.keys():  # from the folder's default
        os.removexattr(descriptor, _ACL)
    for name in old:
        try:
            os.setxattr(descriptor, name, old[name])
        except OSError:  # of the others some are the system's own
            if name == _ACL:
                raise


def _attributes(file: Path | int) -> dict[str, bytes]:
    """Return the extended attributes; none where the system or the file system has none."""
    try:
        return {name: os.getxattr(file, name) for name in os.listxattr(file)}
    except (AttributeError, OSError):
        return {}
