"""Counters and histograms of prometheus_client, each label's part of them looked up once.

And what their files have, which only that library can read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.mmap_dict import MmapedDict


class Counted:
    """A counter by its labels' values.

    Args:
        counter: The counter.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._adding: dict[tuple[str | int, ...], Callable[[], None]] = {}

    def __contains__(self, labels: tuple[str | int, ...]) -> bool:
        return labels in self._adding

    def begin(self, *labels: str | int) -> Callable[[], None]:
        """Show it from now on, as a rate can't see what begins with 1; return what counts one."""
        add = self._adding[labels] = self._counter.labels(*labels).inc
        return add

    def add(self, *labels: str | int) -> None:
        """Count one."""
        (self._adding.get(labels) or self.begin(*labels))()


class Timed:
    """A histogram by a label's value.

    Args:
        histogram: The histogram.
    """

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._adding: dict[str, Callable[[float], None]] = {}

    def begin(self, label: str) -> Callable[[float], None]:
        """Show it from now on; return what takes one more."""
        add = self._adding[label] = self._histogram.labels(label).observe
        return add

    def add(self, label: str, seconds: float) -> None:
        """Take one more."""
        (self._adding.get(label) or self.begin(label))(seconds)


def labels_in(file: Path, metric: str, label: str) -> set[str]:
    """Return the values that a label has of what is counted in a file.

    Args:
        file: The file, whoever counted in it.
        metric: The metric's name.
        label: The label's.
    """
    values = set()
    counts = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
    for key, *_ in counts:
        name, _, labels, _ = json.loads(key)
        if name == metric:
            values.add(labels[label])
    return values
