"""A fault's traceback for the log, without what its messages say.

An exception's message may have in it whatever the code had in hand: a token, a name, an e-mail
address. Which code failed, and by which exception, is enough to mend it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator


def trace_of(error: BaseException) -> str:
    """Write the traceback of an exception and of those that led to it, the first one first."""
    return "\n".join(_one(each) for each in reversed(list(_chain(error))))


def _one(error: BaseException) -> str:
    kind = type(error)
    # Of an operating system's error the words are its own: "No space left on device".
    words = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{lines}{kind.__module__}.{kind.__name__}{words}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        context = None if following.__suppress_context__ else following.__context__
        following = following.__cause__ or context
