"""A process that reads the tenants' files for a server: `python -m kataven_flask.reader`.

It is asked by one line of JSON on its standard input, and answers by lines of JSON: what it
found, the files that aren't as the server knows them, the tenants of those that aren't, and a
last line that says so. Whoever sees no last line knows that it has died.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from kataven_flask.document.faults import Fault, FaultyDocumentError, Mark
from kataven_flask.document.looking import Looker, Sight
from kataven_flask.document.yaml_files import PlainDocument, read_bytes, read_document
from kataven_flask.document.yaml_page import Page
from kataven_flask.errors import ConfigurationError
from kataven_flask.parts import Part, part_of, tenants_of, written
from kataven_flask.registry import document_of, sound_document

NICENESS: Final = 10
"""How far it steps back behind whoever answers requests (nice(2))."""
END: Final = "end"


def question(path: Path, sight: Sight, parts: Mapping[str, Part], *, doubted: bool) -> str:
    """Ask for a document.

    Args:
        path: One file, or a folder of them.
        sight: What the files looked like; where they don't any more, nothing is read.
        parts: What is known of them.
        doubted: Whether to look for faults everywhere, and not in what has changed alone.
    """
    known = {file: [part.digest, part.tenants] for file, part in parts.items()}
    asked = {"path": str(path), "sight": sight_digest(sight), "known": known, "doubted": doubted}
    return json.dumps(asked, sort_keys=True)


def sight_digest(sight: Sight) -> str:
    """Return what tells one sight from another."""
    seen = sorted((file, *mark) for file, mark in sight.items())
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def told(fault: Fault) -> list[Any]:
    """Return a fault as plain data."""
    mark = fault.mark
    return [str(mark.file), mark.line, mark.column, fault.path, fault.message]


def fault_of(told: Iterable[Any]) -> Fault:
    """Return a fault that was made plain data."""
    file, line, column, path, message = told
    return Fault(Mark(Path(file), line, column), path, message)


def answer(asked: Mapping[str, Any]) -> Iterator[str]:
    """Read a document, and tell of it in lines.

    Args:
        asked: A question, read.
    """
    path = Path(asked["path"])
    try:
        raw = _bytes_of(path, asked["sight"])
        if raw is None:
            yield json.dumps({"is": "moved"})
        else:
            yield from _found(read_document(path, raw), asked)
    except FaultyDocumentError as error:
        yield json.dumps({"is": "faulty", "faults": [*map(told, error.faults)]})
    except ConfigurationError as error:
        is_passing = isinstance(error.__cause__, OSError)
        yield json.dumps({"is": "unusable", "message": str(error), "passing": is_passing})
    yield json.dumps(END)


def _bytes_of(path: Path, sight: str) -> dict[Path, bytes] | None:
    """Return what the files hold; None where they aren't as they were seen, all the while."""
    files = Looker(path).look()
    fault = None
    raw = {}
    try:
        raw = {Path(file): read_bytes(Path(file)) for file in files}
    except ConfigurationError as error:
        fault = error
    if {sight_digest(each) for each in (files, Looker(path).look())} != {sight}:
        return None
    if fault is not None:
        raise fault
    return raw


def _found(plain: PlainDocument, asked: Mapping[str, Any]) -> Iterator[str]:
    """Tell what isn't as it is known: first the files, then the tenants in them.

    Whoever asked looks through what is new, too, and asks again where there are doubts.
    """
    known = asked["known"]
    if plain.faults or asked["doubted"]:
        document_of(plain)
    pages = [page for page in plain.pages if known.get(str(page.file), ("",))[0] != page.digest]
    parts = [part_of(page, None) for page in pages]
    changed = dict(_changed(pages, parts, known))
    if known and sound_document({**plain.content, "tenants": changed}) is None:
        document_of(plain)
    yield json.dumps({"is": "sound", "files": len(pages)})
    for page, part in zip(pages, parts, strict=True):
        yield written([str(page.file), part.digest, part.head, part.tenants])
    for each in changed.items():
        yield written(each)


def _changed(
    pages: Iterable[Page], parts: Iterable[Part], known: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    for page, part in zip(pages, parts, strict=True):
        tenants = known.get(str(page.file), ("", {}))[1]
        for tenant_id, content in tenants_of(page).items():
            if tenants.get(tenant_id) != part.tenants[tenant_id]:
                yield tenant_id, content


def main() -> None:
    """Answer one question, at a low priority."""
    with suppress(OSError):
        os.nice(NICENESS)
    gc.disable()  # nothing that it makes is garbage before its end
    for line in answer(json.loads(sys.stdin.read())):
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
