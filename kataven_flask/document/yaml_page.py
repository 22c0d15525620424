"""One YAML file to plain data, with the place of every member (pyyaml's C loader).

Stricter than YAML: a member that stands twice, an alias, a merge key and a name that
isn't text are faults, because each of them would be taken silently for something else.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from kataven_flask.document.faults import DocumentPath, Fault, Mark, Marks
from kataven_flask.document.yaml_faults import Loader, lines_of, odd_blank, yaml_fault

_MAX_BITS: Final = 64
"""Of a number; a hexadecimal one may be of any length, and then can't even be shown."""

_COMMENT = re.compile(r"\s*:\s+(#\S*)")


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
            loader = Loader(raw)
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
        with suppress(yaml.YAMLError, ValueError, LookupError, AttributeError, OverflowError):
            value: object = self._scalars.construct_object(node)
            if not (isinstance(value, int) and value.bit_length() > _MAX_BITS):
                return value
        what = node.tag.removeprefix("tag:yaml.org,2002:")
        self._fault(node, path, f"can't be read as {what}; put text in quotes")
        return None
