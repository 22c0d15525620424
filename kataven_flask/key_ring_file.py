"""The key ring's file in the instance folder: made, read, and changed as a whole.

It is its owner's alone. A change is written beside it and moved over it under a lock,
so that whoever reads finds the old ring or the new one, whatever dies in between.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.signing import (
    REFRESH_SECRET_BYTES,
    Algorithm,
    KeyRing,
    RefreshSecret,
    SigningKey,
    make_pair,
    make_signing_key,
    parse_private_key,
)
from kataven_flask.times import iso_utc, parse_iso

KEY_RING_FILE: Final = "keyring.json"
LOCK_FILE: Final = "keyring.lock"
_NEXT_FILE: Final = "keyring.json.next"
_MAX_SIZE: Final = 1024 * 1024
"""Bytes; about 2,000 rotations."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_VERSION: Final = 1


def open_key_ring(
    instance: Path, alg: Algorithm | None = None, clock: Callable[[], float] = time.time
) -> KeyRing:
    """Read the key ring of an instance folder, and make both where they don't exist yet.

    Args:
        instance: The folder; its owner alone may read or write it.
        alg: The algorithm of a new signing key; None for ES256, or whatever is there.
        clock: Gives the seconds since the epoch.

    Raises:
        ConfigurationError: The folder or the file can't be used; the message says how to mend it.

    Returns:
        The key ring.
    """
    path = instance / KEY_RING_FILE
    with _readable_faults(instance):
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_if_others_can(instance, instance.stat(), "700")
        if not path.exists():
            key, secret = make_pair(alg or "ES256", int(clock()))
            _create(path, KeyRing((key,), (secret,)))
    ring = read_key_ring(instance)
    if alg is not None and ring.newest.alg != alg:
        raise ConfigurationError(
            f"{path}: its newest key is for {ring.newest.alg}, not {alg}; run:"
            f" kataven-flask signing-keys rotate --alg {alg}"
            f" --instance {shlex.quote(str(instance))}"
        )
    return ring


def read_key_ring(instance: Path) -> KeyRing:
    """Read the key ring of an instance folder.

    Args:
        instance: The folder; its owner alone may read or write it.

    Raises:
        ConfigurationError: The folder or the file can't be used; the message says how to mend it.

    Returns:
        The key ring.
    """
    path = instance / KEY_RING_FILE
    with _readable_faults(instance):
        _refuse_if_others_can(instance, instance.stat(), "700")
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError(f"{path}: not a file; the instance folder holds keys")
            _refuse_if_others_can(path, status, "600")
            text = file.read(_MAX_SIZE)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path}: not a key ring; restore it from a backup") from error
    return _parse(content, path)


def fingerprint(instance: Path) -> tuple[int, ...]:
    """Tell one state of the file from another, by who can read it, inode, times and size."""
    try:
        folder = instance.stat()
        # Opened, because a network file system may answer a mere stat from its cache.
        descriptor = _open_at_once(str(instance / KEY_RING_FILE), os.O_RDONLY)
        try:
            file = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return ()
    who = (n for status in (folder, file) for n in (status.st_mode, status.st_uid, status.st_ino))
    return (*who, file.st_mtime_ns, file.st_ctime_ns, file.st_size)


def change_key_ring(
    instance: Path, change: Callable[[KeyRing], KeyRing]
) -> tuple[KeyRing, KeyRing]:
    """Change the key ring of an instance folder, one process at a time.

    Args:
        instance: The folder.
        change: Gives the new ring for the old one; it may raise to leave all as it is.

    Raises:
        ConfigurationError: The folder or the file can't be used; nothing was changed.

    Returns:
        The old ring and the new one.
    """
    path = instance / KEY_RING_FILE
    with _readable_faults(instance):
        before = read_key_ring(instance)  # first, so that a wrong folder gets no lock
        if path.is_symlink():
            raise ConfigurationError(
                f"{path}: is a link; change it where it leads: {path.resolve().parent}"
            )
        with _locked(instance):
            before = read_key_ring(instance)
            after = change(before)
            if after.revision != before.revision:
                _replace(path, after)
    return before, after


@contextmanager
def as_owner_of(instance: Path) -> Iterator[None]:
    """Act as the user that a folder belongs to, where root runs the command.

    A file that root made would be root's, and a server that runs as another user couldn't
    read it. And nothing that this user put there is followed with root's rights.

    Args:
        instance: The folder; where there is none, nothing is done.

    Raises:
        ConfigurationError: The user can't be changed.
    """
    with _readable_faults(instance):
        owner = instance.stat() if instance.exists() else None
        if os.geteuid() != 0 or owner is None or owner.st_uid == 0:
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        os.setgroups([])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        try:
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            os.setgroups(groups)


# --- writing


@contextmanager
def _locked(instance: Path) -> Iterator[None]:
    """Keep other changes out; the lock goes with the process, however it ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(instance / LOCK_FILE, flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create(path: Path, ring: KeyRing) -> None:
    """Write the first ring whole or not at all; where two processes try, the first one's stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        _write(descriptor, ring)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def _replace(path: Path, ring: KeyRing) -> None:
    """Move a new ring over the old one, as much its owner's alone; call it under the lock."""
    following = path.with_name(_NEXT_FILE)
    following.unlink(missing_ok=True)  # of a change that died; nobody else is at it
    old = path.stat()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(following, flags, 0o600)
        with suppress(PermissionError):  # of another's group; a group may do nothing here anyway
            os.fchown(descriptor, -1, old.st_gid)
        _write(descriptor, ring)
        following.replace(path)
    except BaseException:
        following.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _write(descriptor: int, ring: KeyRing) -> None:
    with open(descriptor, "w") as file:
        json.dump(_content(ring), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _content(ring: KeyRing) -> dict[str, Any]:
    return {
        "version": _VERSION,
        "signing_keys": [{**_times(key), "private_key": key.pem()} for key in ring.signing_keys],
        "refresh_secrets": [
            {**_times(secret), "secret": secret.secret.hex()} for secret in ring.refresh_secrets
        ],
    }


def _times(entry: SigningKey | RefreshSecret) -> dict[str, str]:
    return {"created_at": iso_utc(entry.created_at), "signs_from": iso_utc(entry.signs_from)}


# --- reading


def _parse(content: Any, path: Path) -> KeyRing:
    try:
        if content["version"] != _VERSION:
            raise ConfigurationError(f"{path}: was written by a newer version; upgrade this one")
        signing_keys = tuple(_read_key(entry) for entry in content["signing_keys"])
        refresh_secrets = tuple(_read_secret(entry) for entry in content["refresh_secrets"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path}: not a key ring; restore it from a backup") from error
    if not (signing_keys and refresh_secrets):
        raise ConfigurationError(f"{path}: lacks a key or a secret; restore it from a backup")
    for entries in (signing_keys, refresh_secrets):
        if len({entry.id for entry in entries}) < len(entries):
            raise ConfigurationError(f"{path}: has a key or a secret twice; take one of them out")
    return KeyRing(signing_keys, refresh_secrets)


def _read_key(entry: Mapping[str, Any]) -> SigningKey:
    return make_signing_key(parse_private_key(entry["private_key"]), *_read_times(entry))


def _read_secret(entry: Mapping[str, Any]) -> RefreshSecret:
    secret = bytes.fromhex(entry["secret"])
    if len(secret) < REFRESH_SECRET_BYTES:
        raise ValueError("a refresh secret is too short")
    return RefreshSecret(secret, *_read_times(entry))


def _read_times(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Read when an entry was made and signs from, which may be left out where it is the same."""
    created_at = parse_iso(entry["created_at"])
    return created_at, parse_iso(entry["signs_from"]) if "signs_from" in entry else created_at


def _open_at_once(path: str, flags: int) -> int:
    """Open a file for reading; a pipe in its place holds nobody up."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)


@contextmanager
def _readable_faults(instance: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{instance / KEY_RING_FILE}: no such file; `kataven-flask serve` makes it at its first"
            " start; where it was lost, restore it from a backup"
        ) from error
    except OSError as error:
        message = f"{error.filename or instance}: {error.strerror}; the instance folder holds keys"
        raise ConfigurationError(message) from error


def _refuse_if_others_can(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"{path}: belongs to another user; run: chown $(id -u) {shlex.quote(str(path))}"
        )
    if status.st_mode & _OTHERS:
        raise ConfigurationError(
            f"{path}: others can read or write it; run: chmod {mode} {shlex.quote(str(path))}"
        )
