"""Small changes of a YAML text that leave every other character of it as it was.

A change finds its place by PyYAML's marks and touches that place alone, so that comments,
order, quotes and blank lines stay. A library that writes the whole file anew moves the
comments that follow a last entry. What was written is read again and held against what
was meant; a layout that can't be changed this way is refused, never guessed at.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import yaml

from kataven_flask.document.yaml_faults import Loader
from kataven_flask.document.yaml_flow import add_child, cut_child
from kataven_flask.document.yaml_words import block, flow
from kataven_flask.errors import ConfigurationError

Path: TypeAlias = tuple[str | int, ...]

_BYTE_ORDER_MARK: Final = "\ufeff"
_INDENT: Final = 2
_LONG: Final = 4
"""Line breaks in a child that should stand apart from the next."""
_COMMENT: Final = re.compile(r"(?P<indent> *)#[^\n]*(?:\n|$)")
_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n")

_NO_COMMAND: Final = "laid out in a way that no command can change; edit it by hand"
_TWO_KINDS: Final = "the file's lines end in two ways (LF and CRLF); save it with one of them first"


class LayoutError(ConfigurationError):
    """The text is laid out in a way that no command can change; a person can."""

    def __init__(self, path: Path, why: str = _NO_COMMAND) -> None:
        super().__init__(f"{'.'.join(map(str, path)) or 'the file'}: {why}")


def append(text: str, path: Path, value: object) -> str:
    """Add an item at the end of a list.

    Args:
        text: The whole YAML text.
        path: The list; it is made where its mapping has none.
        value: Plain mappings, lists and scalars.

    Raises:
        LayoutError: The text can't be changed there.

    Returns:
        The new text.
    """

    def change(content: Any) -> None:
        where, last = _at(content, path[:-1]), path[-1]
        if isinstance(where, dict) and where.get(last) is None:
            where[last] = []
        where[last].append(value)

    def splice(text: str, root: yaml.Node) -> str:
        node = _find(root, path)
        if node is None:
            return _add_member(text, root, path, [value])
        if _is_null(node):
            return _replace(text, node, [value])
        if not isinstance(node, yaml.SequenceNode):
            raise LayoutError(path)
        return _add(text, root, path, node, [value])

    return _spliced(text, path, splice, change)


def put(text: str, path: Path, value: object) -> str:
    """Set a member of a mapping: a scalar in its place, or a new member at the end.

    Args:
        text: The whole YAML text.
        path: The member.
        value: Plain mappings, lists and scalars.

    Raises:
        LayoutError: The text can't be changed there.

    Returns:
        The new text.
    """

    def change(content: Any) -> None:
        _at(content, path[:-1])[path[-1]] = value

    def splice(text: str, root: yaml.Node) -> str:
        node = _find(root, path)
        if node is None:
            return _add_member(text, root, path, value)
        if not isinstance(node, yaml.ScalarNode) or isinstance(value, (dict, list)):
            raise LayoutError(path)
        return _replace(text, node, value)

    return _spliced(text, path, splice, change)


def remove(text: str, path: Path) -> str:
    """Take out an item of a list or a member of a mapping, with the comments inside it.

    Args:
        text: The whole YAML text.
        path: The item or the member.

    Raises:
        LayoutError: The text can't be changed there.

    Returns:
        The new text.
    """

    def change(content: Any) -> None:
        del _at(content, path[:-1])[path[-1]]

    def splice(text: str, root: yaml.Node) -> str:
        parent = _find(root, path[:-1])
        if not isinstance(parent, yaml.CollectionNode):
            raise LayoutError(path)
        spans = list(_spans(text, parent))
        index = _index_of(parent, path)
        if parent.flow_style:
            return cut_child(text, spans, index)
        if len(spans) == 1:
            return _emptied(text, root, path)
        return _cut_lines(text, spans[index], parent)

    return _spliced(text, path, splice, change)


# --- the frame: find the place, change it, hold the outcome against what was meant


def _spliced(
    text: str,
    path: Path,
    splice: Callable[[str, yaml.Node], str],
    change: Callable[[Any], None],
) -> str:
    mark = _BYTE_ORDER_MARK * text.startswith(_BYTE_ORDER_MARK)
    bare = text[len(mark) :]
    is_dos = "\r\n" in bare
    if is_dos and bare.count("\n") > bare.count("\r\n"):
        raise LayoutError(path, _TWO_KINDS)
    bare = bare.replace("\r\n", "\n")
    try:
        root = _compose(bare)
        meant = _plain(root)
        change(meant)
        after = splice(bare, root) if root else bare
        was_done = _plain(_compose(after)) == meant
    except (yaml.YAMLError, LookupError, ValueError, TypeError, AttributeError, OverflowError):
        was_done = False
    if not was_done:
        raise LayoutError(path)
    return mark + (after.replace("\n", "\r\n") if is_dos else after)


def _compose(text: str) -> yaml.Node | None:
    loader = Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    return node


def _plain(node: yaml.Node | None) -> Any:
    if node is None:
        return None
    return yaml.constructor.SafeConstructor().construct_document(node)


def _at(content: Any, path: Path) -> Any:
    for step in path:
        content = content[step]
    return content


# --- where things stand


def _find(root: yaml.Node, path: Path) -> yaml.Node | None:
    """Return the node at a path; None where there is none."""
    node: yaml.Node | None = root
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == step), None)
        else:
            return None
    return node


def _index_of(parent: yaml.CollectionNode, path: Path) -> int:
    if isinstance(parent, yaml.MappingNode):
        return [name.value for name, _ in parent.value].index(path[-1])
    return int(path[-1])


def _spans(text: str, node: yaml.CollectionNode) -> Iterator[tuple[int, int]]:
    """Yield where each child begins and ends."""
    for child in node.value:
        first, last = child if isinstance(child, tuple) else (child, child)
        yield first.start_mark.index, _end(text, last)


def _end(text: str, node: yaml.Node) -> int:
    """Return where a node's last character is; a block's own mark is past the comments after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        *_, (_, last) = _spans(text, node)
        return last
    end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        return len(text[:end].rstrip())
    return end


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _after(text: str, index: int, column: int) -> int:
    """Return where the lines of a child of a block end: after the comments deeper than the block.

    Args:
        text: The whole YAML text.
        index: The child's last character.
        column: Where the block's children begin, from 0.
    """
    at = _next_line(text, index)
    while (comment := _COMMENT.match(text, at)) and len(comment["indent"]) > column:
        at = comment.end()
    return at


def _next_line(text: str, index: int) -> int:
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1


# --- the changes


def _add_member(text: str, root: yaml.Node, path: Path, value: object) -> str:
    parent = _find(root, path[:-1])
    if not isinstance(parent, yaml.MappingNode):
        raise LayoutError(path)
    return _add(text, root, path[:-1], parent, {path[-1]: value})


def _add(
    text: str,
    root: yaml.Node,
    path: Path,
    node: yaml.CollectionNode,
    value: dict[Any, Any] | list[Any],
) -> str:
    """Add a list of one item, or a mapping of one member, to the node that stands at a path."""
    if not node.flow_style:
        return _add_line(text, node, value)
    start, end = node.start_mark.index, node.end_mark.index
    column = None if text[start + 1 : end - 1].strip() else _column_below(root, path)
    inner = next(iter(value.values() if isinstance(value, dict) else value))
    if column is not None and isinstance(inner, dict):
        return _unfolded(text, node, column, value)
    return add_child(text, start, list(_spans(text, node)), flow(value)[1:-1])


def _column_below(root: yaml.Node, path: Path) -> int | None:
    """Return where the lines of a member of a block would begin; None for what is in a flow."""
    owner = _find(root, path[:-1])
    is_block = isinstance(owner, yaml.MappingNode) and not owner.flow_style
    return owner.start_mark.column + _INDENT if owner and is_block else None


def _unfolded(text: str, node: yaml.CollectionNode, column: int, value: object) -> str:
    """Write lines in the place of an empty `[]` or `{}`."""
    start, end = node.start_mark.index, node.end_mark.index
    at = _next_line(text, end)
    rest = text[end:at]
    head = text[:start].rstrip() + rest.rstrip()
    lines = "".join(f"{' ' * column}{line}\n" for line in block(value).splitlines())
    return f"{head}\n{lines}{text[at:]}"


def _add_line(text: str, node: yaml.CollectionNode, value: object) -> str:
    """Write lines after a block's last one."""
    indent = " " * node.start_mark.column
    spans = list(_spans(text, node))
    gap = "\n" * _stand_apart(text, spans)
    at = _after(text, spans[-1][1], node.start_mark.column)
    before = text[:at] if text[:at].endswith("\n") else text[:at] + "\n"
    lines = "".join(f"{indent}{line}\n" for line in block(value).splitlines())
    return before + gap + lines + text[at:]


def _stand_apart(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Tell whether a blank line goes between children: as before, or where the only one is long."""
    if len(spans) == 1:
        return text.count("\n", *spans[0]) >= _LONG
    pairs = itertools.pairwise(spans)
    return any(_BLANK_LINE.search(text, one[1], other[0]) for one, other in pairs)


def _replace(text: str, node: yaml.Node, value: object) -> str:
    start, end = node.start_mark.index, _end(text, node)
    gap = " " * (start == end)  # an empty value stands right behind its colon
    return text[:start] + gap + flow(value) + text[end:]


def _cut_lines(text: str, span: tuple[int, int], parent: yaml.CollectionNode) -> str:
    """Take out whole lines, and one of the blank lines around them where both sides have one."""
    column = parent.start_mark.column
    start, end = _line_start(text, span[0]), _after(text, span[1], column)
    if isinstance(parent, yaml.SequenceNode):  # the dash may stand on a line above
        start = text.rindex(f"\n{' ' * column}-", 0, span[0]) + 1
    blank_before = text[_line_start(text, start - 1) : start].strip() == "" if start else True
    following = text[end : _next_line(text, end)]
    if blank_before and following and not following.strip():
        end += len(following)
    return text[:start] + text[end:]


def _emptied(text: str, root: yaml.Node, path: Path) -> str:
    """Write `[]` or `{}` behind the name of a block that is to lose its only child."""
    owner, node = _find(root, path[:-2]), _find(root, path[:-1])
    if not isinstance(owner, yaml.MappingNode) or node is None:
        raise LayoutError(path)
    name = next(name for name, value in owner.value if value is node)
    behind = text.index(":", name.end_mark.index) + 1
    start = _line_start(text, node.start_mark.index)
    end = _after(text, _end(text, node), node.start_mark.column)
    nothing = " {}" if isinstance(node, yaml.MappingNode) else " []"
    return text[:behind] + nothing + text[behind:start] + text[end:]
