"""Secrets are compared in constant time, or not at all."""

from __future__ import annotations

import ast
import hmac
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import kataven_flask
from tests.support import SECRET, Service

PACKAGE: Final = Path(kataven_flask.__file__).parent
NO_SERVER: Final = {"cli", "demo", "doctor", "document"}
"""What runs at an operator's desk, where nobody measures how long it takes."""
SECRET_NAME: Final = re.compile(r"(.*_)?(secrets?|secret_key|hash|signature|token|mac)")


def comparisons(source: str) -> Iterator[str]:
    """Yield each comparison by `==` or `!=` that has a secret on one of its sides."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops):
            continue
        if any(map(is_secret, (node.left, *node.comparators))):
            yield ast.unparse(node)


def is_secret(side: ast.expr) -> bool:
    """Tell whether one side of a comparison is called a secret."""
    name = getattr(side, "attr", getattr(side, "id", ""))
    return SECRET_NAME.fullmatch(name) is not None


MODULES: Final = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] not in NO_SERVER
]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_secret_is_compared_as_text_is(path: Path) -> None:
    """How long a refusal takes tells nobody how much of a secret they have right."""
    assert list(comparisons(path.read_text())) == []


@pytest.mark.parametrize(
    "source",
    ["secret_key == x", "found.hash != hash(y)", "x == self.refresh_token", "a is b or mac == a"],
)
def test_such_a_comparison_would_be_found(source: str) -> None:
    """The test above can fail."""
    assert len(list(comparisons(source))) == 1


def test_a_secret_key_is_compared_in_constant_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by its hash, and then compared by the whole of it."""
    compared: list[int] = []
    right = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(one))
        return right(one, other)

    monkeypatch.setattr("kataven_flask.keys.hmac.compare_digest", compare)
    assert service.user_token(SECRET).status_code == 200
    assert len("sha256:") + 64 in compared
