"""Security events, told: each counts, and the log has a bounded number of lines of them.

Where several workers share a port, each tells its parent through a pipe, and the parent writes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kataven_flask.event_pipe import EventPipe
from kataven_flask.event_windows import News, Tally, unnamed
from kataven_flask.keys import parse_client_key
from kataven_flask.log import Field, Log
from kataven_flask.origins import Origin
from kataven_flask.refused_origins import why_refused
from kataven_flask.registry import Registry
from kataven_flask.security_events import KINDS, NONE, OTHERS, Event, Happening, entry
from kataven_flask.tokens import Session
from kataven_flask.whereabouts import DEFAULT_CONFIG

_TOO_MANY: Final = "too many to be told one by one"

_security = Log("kataven_flask.security")


class Asked(NamedTuple):
    """The request that is being answered: its id, and the endpoint, for example `refresh`."""

    request: str
    endpoint: str


class Person(NamedTuple):
    """A user, who stands in no line by their own id."""

    tenant: str
    user_id: str

    @classmethod
    def of(cls, session: Session) -> Person | None:
        """Return who a session's user is; None for a guest, who is nobody."""
        return cls(session.tenant, session.sub) if session.visitor_type == "user" else None

    def __repr__(self) -> str:
        """Return a text that doesn't say who it is."""
        return f"Person(tenant={self.tenant!r})"


def nobody_asked() -> Asked | None:
    """Stand for what is told outside of a request."""
    return None


@dataclass(frozen=True, slots=True)
class Sources:
    """What a line is completed from.

    Args:
        registry: Gives the registry in force.
        config: The tenants' file.
        clock: Gives the seconds since the epoch.
        user: Gives what a line has for a user.
        asked: Gives the request that is being answered in this thread, if one is.
    """

    registry: Callable[[], Registry]
    config: Path
    clock: Callable[[], float]
    user: Callable[[Person], str]
    asked: Callable[[], Asked | None] = nobody_asked


class EventLog:
    """Tells the operator of security events.

    Args:
        sources: What a line is completed from.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        default = sources.config == DEFAULT_CONFIG
        self._config = None if default else str(sources.config.absolute())
        self._tally = Tally()
        self._lock = threading.Lock()
        self._pipe: EventPipe | None = None
        self._lost: Counter[Event] = Counter()
        self.counted: Callable[[Event], None] = _nothing
        """Called at each event, for metrics; set before processes are forked."""

    def share(self) -> None:
        """Have processes that are forked from now on tell this one, which writes for all."""
        self._pipe = EventPipe()

    def tell(  # noqa: PLR0913 - all that an event may be about
        self,
        event: Event,
        *,
        client_key: str = "",
        session: str = "",
        token: str = "",
        person: Person | None = None,
        origin: Origin | None = None,
        why: str = "",
    ) -> None:
        """Count an event, and tell it unless the same was told within the minute.

        Of what is given, the line has the fields of the event's kind (`KINDS`).

        Args:
            event: What has happened.
            client_key: The client key it is about: one of the operator's.
            session: The session's id.
            token: The visitor token's id, its `jti`; never the token.
            person: The user; the line has a keyed hash.
            origin: The caller's origin; None where the request has none that can be read.
            why: The reason in words of ours.
        """
        self.counted(event)
        asked = self._sources.asked()
        happening = Happening.of(
            event,
            client_key=client_key,
            session=session,
            token=token,
            user="" if person is None else self._sources.user(person),
            origin=NONE if origin is None else str(origin),
            endpoint="" if asked is None else asked.endpoint,
            request_id="" if asked is None else asked.request,
            why=why,
        )
        if self._pipe is None or self._pipe.is_ours:
            self._add(happening, 1)
        elif not self._pipe.send(happening, 1):
            with self._lock:
                self._lost[event] += 1

    def look(self) -> None:
        """Tell what is due by now; in a worker, tell the parent what was lost."""
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - no fault of the log may end the looking
            _security.fault("security events can't be told", error)

    def close(self) -> None:
        """Tell all that was counted."""
        self.look()
        with self._lock:
            left = list(self._tally.due(self._sources.clock(), at_end=True))
        for news in left:
            self._write(news)
        if self._pipe is not None and self._pipe.is_ours:
            self._pipe.close()
            self._pipe = None

    def _look(self) -> None:
        if self._pipe is not None and not self._pipe.is_ours:
            self._report_the_lost(self._pipe)
            return
        if self._pipe is not None:
            for happening, count in self._pipe.receive():
                self._add(happening, count)
        with self._lock:
            due = list(self._tally.due(self._sources.clock()))
        for news in due:
            self._write(news)

    def _report_the_lost(self, pipe: EventPipe) -> None:
        with self._lock:
            for event, count in list(self._lost.items()):
                if pipe.send(unnamed(event), count):
                    del self._lost[event]

    def _add(self, happening: Happening, count: int) -> None:
        with self._lock:
            news = self._tally.add(happening, self._sources.clock(), count)
        if news is not None:
            self._write(news)

    def _write(self, news: News) -> None:
        happening = news.happening
        fields: dict[str, Field] = {
            "tenant": self._tenant_of(happening.client_key),
            **happening.fields,
            "count": news.count,
            **self._reason(happening),
        }
        _security.write(KINDS[happening.event].level, entry(happening.event, fields))

    def _tenant_of(self, client_key: str) -> str:
        record = self._sources.registry().keys.get(client_key)
        if record is not None:
            return record.tenant_id
        name = parse_client_key(client_key)  # removed since
        return "" if name is None else name.tenant

    def _reason(self, happening: Happening) -> dict[str, str]:
        if OTHERS in (happening.client_key, *happening.apart):
            return {"why": _TOO_MANY}
        record = self._sources.registry().keys.get(happening.client_key)
        if happening.event is Event.ORIGIN_REFUSED and record is not None:
            return why_refused(record, happening.fields["origin"], self._config)
        return {}


def _nothing(_event: Event) -> None:
    """Count nothing: nobody asked for metrics."""
