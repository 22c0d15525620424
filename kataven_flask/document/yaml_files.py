"""The files of a document, read and joined to one plain document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kataven_flask.assets import example_config
from kataven_flask.document.faults import DocumentPath, Fault, Mark, Marks
from kataven_flask.document.yaml_page import Page, read_page
from kataven_flask.errors import ConfigurationError

NOTHING: Final[Mapping[Path, bytes]] = MappingProxyType({})
_SUFFIXES: Final = (".yaml", ".yml")
_REVISION: Final = 12
"""Hex digits of a revision."""


@dataclass(frozen=True, slots=True)
class PlainDocument:
    """What the files say, before any model has seen it.

    Args:
        content: Plain mappings, lists and scalars.
        marks: Where each member stands.
        faults: What made parts of it unreadable.
        revision: A digest of the files' bytes.
        whole: Whether every file could be read, so that what is missing is missing.
        pages: Each file by itself.
    """

    content: dict[str, Any]
    marks: Marks
    faults: tuple[Fault, ...]
    revision: str
    whole: bool
    pages: tuple[Page, ...]


def document_files(path: Path) -> tuple[Path, ...]:
    """List the files of a document.

    Args:
        path: One YAML file, or a folder of them (hidden files are passed over).

    Raises:
        ConfigurationError: There is no such file, or the folder holds none.

    Returns:
        The files, sorted by name.
    """
    if not path.is_dir():
        if not path.exists():
            message = (
                f"{path}: no such file; name the tenants' file with --config or KATAVEN_CONFIG"
                f" (there is an example at {example_config()})"
            )
            raise ConfigurationError(message)
        return (path,)
    files = _in_folder(path)
    if not files:
        message = f"{path}: holds no .yaml file; write one, or name a file with --config"
        raise ConfigurationError(message)
    return tuple(files)


def read_document(path: Path, overlay: Mapping[Path, bytes] = NOTHING) -> PlainDocument:
    """Read a file or a folder of files as one document.

    Args:
        path: One YAML file, or a folder of them.
        overlay: What to take for the content of some of these files, instead of what they hold.

    Raises:
        ConfigurationError: A file is missing or can't be read.

    Returns:
        The document, with all faults that reading it showed.
    """
    files = _files(path, overlay)
    return _joined(
        path,
        [read_page(f, overlay[f] if f in overlay else read_bytes(f)) for f in files],
    )


def revision_of(digests: Sequence[str]) -> str:
    """Name the state of a document by its files' digests, in the order of their names."""
    if len(digests) == 1:
        return digests[0][:_REVISION]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:_REVISION]


def _files(path: Path, overlay: Mapping[Path, bytes]) -> Sequence[Path]:
    """List the files of a document, with those that the overlay has it begin with."""
    if not overlay:
        return document_files(path)
    return sorted({*overlay, *(_in_folder(path) if path.is_dir() else ())})


def is_document_file(name: str) -> bool:
    """Tell by its name whether a file of a folder is part of the document."""
    return name.endswith(_SUFFIXES) and name[0] != "."


def _in_folder(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if is_document_file(each.name))


def read_bytes(file: Path) -> bytes:
    """Return what a file holds, or raise a ConfigurationError that names it."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{file}: can't be read ({error.strerror})") from error


def _joined(path: Path, pages: Sequence[Page]) -> PlainDocument:
    """Join the files: tenants add up, everything else may stand in one file alone."""
    content: dict[str, Any] = {}
    marks = Marks(Mark(path))
    faults: list[Fault] = []
    for page in pages:
        faults += page.faults
        for name, value in page.content.items():
            inner = value if name == "tenants" and isinstance(value, dict) else None
            known = content.setdefault(name, {} if inner is not None else value)
            if inner is not None and isinstance(known, dict):
                faults += [_stands_twice(page, marks, (name, t)) for t in inner if t in known]
                known.update(inner)
            elif known is not value and known != value:
                faults.append(_stands_twice(page, marks, (name,)))
        marks.update(page.marks)
    whole = all(page.whole for page in pages)
    revision = revision_of([page.digest for page in pages])
    return PlainDocument(content, marks, tuple(faults), revision, whole, tuple(pages))


def _stands_twice(page: Page, others: Marks, path: DocumentPath) -> Fault:
    where = others.at(path)
    message = f"stands in another file of this folder too, {where}; keep one of them"
    return page.marks.fault(path, message)
