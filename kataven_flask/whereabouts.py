"""Where the tenants' file and the instance folder are, where nobody has said.

A project's own come first: `config/tenants.yaml` and `instance` in the working directory. Then
a user's, by the XDG Base Directory Specification 0.8, then the machine's. The instance folder
goes with the tenants' file, however that was named. Keys are in one place: where two could be
meant, it has to be said which, as with new keys every session would end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kataven_flask.errors import ConfigurationError
from kataven_flask.key_ring_file import KEY_RING_FILE

DEFAULT_CONFIG: Final = Path("config/tenants.yaml")
DEFAULT_INSTANCE: Final = Path("instance")
NAME: Final = "kataven-flask"
_FILE: Final = "tenants.yaml"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where tenants' files are kept, and the instance folder that goes with them."""

    folder: Path
    instance: Path


def find_config(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the tenants' file: the project's, else the user's, else the machine's.

    Where there is none, it's the project's that is missing.
    """
    if _may_be_there(DEFAULT_CONFIG):
        return DEFAULT_CONFIG
    files = (place.folder / _FILE for place in _places(environ))
    return next(filter(_may_be_there, files), DEFAULT_CONFIG)


def find_instance(config: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the instance folder that goes with a tenants' file.

    Args:
        config: The file, or a folder of such files.
        environ: The environment.

    Raises:
        ConfigurationError: There are keys both there and in the project, as far as can be seen.

    Returns:
        The folder that has keys; where none has, the one where they are to be made.
    """
    where = _real(config)
    place = next((p for p in _places(environ) if where.is_relative_to(_real(p.folder))), None)
    if place is None:
        return DEFAULT_INSTANCE
    places = (DEFAULT_INSTANCE, place.instance)
    homes = [home for home in places if _may_be_there(home / KEY_RING_FILE)]
    if len(homes) > 1 and not DEFAULT_INSTANCE.samefile(place.instance):
        raise ConfigurationError(
            f"there are keys in {DEFAULT_INSTANCE.absolute()} and in {place.instance}, and each"
            " would end the other's sessions: say which with --instance or KATAVEN_INSTANCE"
        )
    return homes[0] if homes else place.instance


def _real(path: Path) -> Path:
    """Return where a path is; a file that is a link is where the link is, not where it leads."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - `absolute()` keeps the ..
    try:
        return absolute.parent.resolve() / absolute.name
    except (OSError, RuntimeError):  # links that lead to themselves; who reads it says so
        return absolute


def _may_be_there(file: Path) -> bool:
    """Tell whether a file is there; where its folder is, and is closed to us, it may be.

    What then can't be read is a fault to be told. To look elsewhere would be to take other
    tenants, or to make new keys, without a word.
    """
    try:
        file.lstat()
    except PermissionError:
        return os.path.lexists(file.parent)
    except OSError:
        return False
    return True


def _places(environ: Mapping[str, str]) -> Iterator[_Place]:
    config, state = _home(environ, "CONFIG", ".config"), _home(environ, "STATE", ".local/state")
    if config and state:
        yield _Place(config / NAME, state / NAME)
    machine = Path("/var/lib") / NAME
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        if folder.startswith("/"):
            yield _Place(Path(folder) / NAME, machine)
    yield _Place(Path("/etc") / NAME, machine)


def _home(environ: Mapping[str, str], kind: str, default: str) -> Path | None:
    """Return a user's base directory; a path that isn't absolute is as none, says the standard."""
    said = environ.get(f"XDG_{kind}_HOME", "")
    if said.startswith("/"):
        return Path(said)
    home = environ.get("HOME", "")
    return Path(home) / default if home.startswith("/") else None
