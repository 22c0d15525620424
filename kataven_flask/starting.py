"""What the log has of a server's start, whichever WSGI server it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kataven_flask.log import Field, Log
from kataven_flask.registry import Registry
from kataven_flask.settings import Settings
from kataven_flask.store import public_url
from kataven_flask.variables import oddities

NO_ISSUER: Final = "the issuer of tokens is a guess; write `issuer:` in the tenants' file"

_log = Log(__name__)


def log_start(settings: Settings, registry: Registry, **further: Field) -> None:
    """Write what is served, and from where.

    Args:
        settings: How the server is set up.
        registry: The tenants' file in force.
        **further: What else is known, as where it listens.
    """
    _log.info(
        "serving",
        **further,
        config=str(settings.config),
        revision=registry.revision,
        tenants=len(registry.tenants),
        issuer=registry.issuer or settings.issuer,
        instance=str(settings.instance.absolute()),
        state=public_url(settings.state_url),
    )


def warn_of_variables(environ: Mapping[str, str]) -> None:
    """Write which variables do nothing, as by a slip.

    Args:
        environ: The environment; its values are never told.
    """
    for oddity in oddities(environ):
        meant = {"meant": oddity.meant} if oddity.meant else {}
        _log.warning(oddity.event, variable=oddity.variable, **meant)


def warn_of_issuer(settings: Settings) -> None:
    """Write that the issuer of tokens is a guess, on which nobody should rely."""
    _log.warning(NO_ISSUER, issuer=settings.issuer, config=str(settings.config))
