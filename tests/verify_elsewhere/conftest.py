"""One running service for all who verify its tokens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.verify_elsewhere.sign_in import SignIn, signed_in


@pytest.fixture(scope="package")
def sign_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignIn]:
    """Run it."""
    with signed_in(tmp_path_factory.mktemp("sign-in")) as found:
        yield found
