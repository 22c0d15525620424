"""A self-hosted sign-in service for embeddable chat and voice widgets.

PYTEST_DONT_REWRITE: whoever has imported it before pytest began isn't to be warned of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kataven_flask.app import create_app as create_app
    from kataven_flask.settings import Settings as Settings

__version__ = "0.1.0"

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> object:
    """Import the server on first use, so that `kataven_flask.verify` needs PyJWT alone."""
    if name == "create_app":
        from kataven_flask.app import create_app  # noqa: PLC0415 - on first use

        return create_app
    if name == "Settings":
        from kataven_flask.settings import Settings  # noqa: PLC0415 - on first use

        return Settings
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
