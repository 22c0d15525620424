"""YAML files to one plain document, with the place of every member (pyyaml's C loader).

Stricter than YAML: a member that stands twice, an alias, a merge key and a name that
isn't text are faults, because each of them would be taken silently for something else.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from kataven_flask.assets import example_config
from kataven_flask.document.faults import DocumentPath, Fault, Mark, Marks
from kataven_flask.document.yaml_faults import LOADER, lines_of, odd_blank, yaml_fault
from kataven_flask.errors import ConfigurationError

NOTHING: Final[Mapping[Path, bytes]] = MappingProxyType({})
_SUFFIXES: Final = (".yaml", ".yml")
_REVISION: Final = 12
"""Hex digits of a revision."""
_COMMENT = re.compile(r"\s*:\s+(#\S*)")


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


@dataclass(frozen=True, slots=True)
class Page:
    """What one file says, before any model has seen it.

    Args:
        file: The file.
        digest: Of its bytes, in hex.
        content: A plain mapping.
        marks: Where each member stands.
        faults: What made parts of it unreadable.
        whole: Whether it could be read, so that what is missing is missing.
    """

    file: Path
    digest: str
    content: dict[str, Any]
    marks: Marks
    faults: tuple[Fault, ...]
    whole: bool


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


def read_page(file: Path, raw: bytes) -> Page:
    """Read one file.

    Args:
        file: What it is called.
        raw: What it holds.

    Returns:
        What it says, with all faults that reading it showed.
    """
    reader = _Reader(file)
    content = reader.read(raw)
    digest = hashlib.sha256(raw).hexdigest()
    return Page(file, digest, content, reader.marks, tuple(reader.faults), reader.whole)


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


class _Reader:
    """One file: its marks and its faults."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: set[int] = set()
        self._scalars = yaml.constructor.SafeConstructor()
        self.marks = Marks(Mark(file))
        self.faults: list[Fault] = []
        self.whole = True
        self._lines: list[str] = []

    def read(self, raw: bytes) -> dict[str, Any]:
        self._lines = lines_of(raw)
        node = self._compose(raw)
        if isinstance(node, yaml.MappingNode):
            try:
                return self._mapping(node, ())
            except RecursionError:
                self._unreadable(Mark(self._file), "nested too deep; write fewer levels")
        elif self.whole:
            message = "must be a mapping that begins with `version: 1`"
            self._unreadable(Mark(self._file), message)
        return {}

    def _compose(self, raw: bytes) -> yaml.Node | None:
        try:
            loader = LOADER(raw)
            try:
                node: yaml.Node | None = loader.get_single_node()
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            found = yaml_fault(error, raw)
            mark = Mark(self._file, found.line, found.column)
            self._unreadable(mark, f"not YAML: {found.message}")
        except yaml.reader.ReaderError as error:
            before = raw[: error.position]
            line = before.count(b"\n") + 1
            column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
            words = "save it in UTF-8, without control characters"
            is_known = isinstance(error.character, int) and error.character >= 0
            what = f"U+{error.character:04X}" if is_known else "what stands"
            self._unreadable(
                Mark(self._file, line, column),
                f"not YAML in UTF-8: {what} here can't be read; {words}",
            )
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            self._unreadable(Mark(self._file), f"not YAML in UTF-8: {str(error).splitlines()[0]}")
        else:
            return node
        return None

    def _unreadable(self, mark: Mark, message: str) -> None:
        self.whole = False
        self.faults.append(Fault(mark, "", message))

    def _mark(self, mark: yaml.Mark) -> Mark:
        return Mark(self._file, mark.line + 1, mark.column + 1)

    def _fault(self, node: yaml.Node, path: DocumentPath, message: str) -> None:
        self.marks[path] = self._mark(node.start_mark)
        self.faults.append(self.marks.fault(path, message))

    def _value(self, node: yaml.Node, path: DocumentPath) -> object:
        if id(node) in self._seen:
            self._fault(node, path, "aliases (*name) aren't read; write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: yaml.Node, path: DocumentPath) -> object:
        self.marks[path] = self._mark(node.start_mark)
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: DocumentPath) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = self._name(name_node, path)
            if name is None:
                continue
            member = (*path, name)
            if name in content:
                message = f"stands twice, first on line {self.marks.at(member).line}"
                self._fault(name_node, member, f"{message}; keep one of them")
                continue
            self.marks[member] = self._mark(name_node.start_mark)
            content[name] = self._value(value_node, member)
            if content[name] is None and (comment := self._comment(name_node)):
                self.marks.comments[member] = comment
        return content

    def _name(self, node: yaml.Node, path: DocumentPath) -> str | None:
        if id(node) in self._seen:
            self._fault(node, path, "aliases (*name) aren't read; write the name out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if node.tag == "tag:yaml.org,2002:merge":
                self._fault(node, (*path, "<<"), "merge keys (<<) aren't read; write them out")
                return None
            if blank := odd_blank(node.value):
                self._fault(node, path, blank)
                return None
            if node.tag == "tag:yaml.org,2002:str":
                return str(node.value)
            self._fault(node, (*path, node.value), f'not text; write "{node.value}" in quotes')
            return None
        self._fault(node, path, "a member's name must be text; write it as `name: value`")
        return None

    def _comment(self, name: yaml.Node) -> str:
        """Return the comment in the place of a member's value."""
        line, column = name.end_mark.line, name.end_mark.column
        found = _COMMENT.match(self._lines[line][column:]) if line < len(self._lines) else None
        return found[1] if found else ""

    def _scalar(self, node: yaml.Node, path: DocumentPath) -> object:
        try:
            return self._scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError):
            what = node.tag.removeprefix("tag:yaml.org,2002:")
            self._fault(node, path, f"can't be read as {what}; put text in quotes")
            return None
