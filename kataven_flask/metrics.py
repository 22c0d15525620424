"""What the server counts and times, by the names that Prometheus reads.

prometheus_client keeps what each process counts in a file of its own, and adds them up when it is
asked. A file belongs to a worker's place, not to its process: whoever replaces a worker that died
goes on where that one was.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.mmap_dict import mmap_key
from prometheus_client.multiprocess import MultiProcessCollector

from kataven_flask.counted import Counted, Timed, labels_in
from kataven_flask.gauges import Load
from kataven_flask.keys import MAX_TENANT_ID
from kataven_flask.metric_files import make_room
from kataven_flask.observer import Answer, Minted, Observer, Scope
from kataven_flask.security_events import Event
from kataven_flask.store.base import Outcome

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds. 1 ms: from memory; 5 ms: the store is prompt; 0.1 s: it is slow, and a person begins to
notice; 0.5 s: Redis is given up; 2 s: the longest that is promised without a store; 10 s: the
widget has given up."""
OPERATIONS: Final = (
    "begin",
    "spend",
    "rotate",
    "revoke_session",
    "revoke_user",
    "hit",
    "ping",
    "since_ms",
)
"""Steps of the state store that a server takes, as `Store` has them."""
SIGN_IN: Final = ("config", "guest", "user-token", "exchange", "refresh", "logout", "revoke")
"""Routes whose failures somebody is paged for."""
FURTHER: Final = ("jwks.json", "healthz", "readyz", "openapi.json", "docs", "v1.js", "v1.d.ts")
"""The others: of a fault of ours, somebody is told wherever it is, and of the first one."""
MANY_TENANTS: Final = 1000
"""Room for so many tenants, at least, that weren't there at the start."""
OTHERS: Final = "_others"
"""Stands for the tenants that there is no room for; no tenant has this name."""
UNREAD: Final = "unread"
"""The route of what was refused before the app saw it."""
_SMALL_FILE: Final = 256 * 1024
"""Bytes: all that isn't by tenant is half of it."""
_ENTRY: Final = 32
"""Bytes of an entry besides its key, at most."""
_OUTCOMES: Final = {2: "ok", 3: "ok", 4: "refused", 5: "failed"}
_TENANT: Final = "kataven_tenant_requests"
_TENANT_LABELS: Final = ("tenant", "outcome")
_TENANT_HELP: Final = (
    "Requests with a tenant's own key or token: ok, refused (4xx) or failed (5xx)."
)


class Metrics(Observer):
    """What the processes of one server count, and the sum of it.

    It is made before the processes are forked, so that each of them has it.

    Args:
        folder: Where each process keeps what it counts; empty at the start.
        process: Tells processes apart that have no places.

    Raises:
        ConfigurationError: There is no room for it.
    """

    def __init__(self, folder: Path, process: Callable[[], int] | None = None) -> None:
        self._folder = folder
        self._place = 0
        self._own = CollectorRegistry()  # not the library's own, which any import may add to
        self._thread = threading.local()
        self._lock = threading.Lock()
        self._room = MANY_TENANTS
        self._load: Load | None = None
        if process is None:
            self._make_room(self._place)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        values.ValueClass = values.MultiProcessValue(process or self._get_place)  # type: ignore[no-untyped-call]
        self._count_answers()
        self._count_tokens()
        self._count_state()
        self._count_the_rest()
        self.registry = CollectorRegistry()
        MultiProcessCollector(self.registry, str(folder))  # type: ignore[no-untyped-call]

    # --- before the processes are forked, and in each of them

    def _get_place(self) -> int:
        return self._place

    def _make_room(self, place: int, by_tenant: int = 0) -> None:
        make_room(self._folder, f"counter_{place}.db", _SMALL_FILE + by_tenant)
        make_room(self._folder, f"histogram_{place}.db", _SMALL_FILE)

    def make_room(self, workers: int, tenants: int) -> Load:
        """Take the room for what the workers will count, for each in its own place.

        Args:
            workers: How many there will be.
            tenants: How many there are at the start.

        Raises:
            ConfigurationError: There isn't so much.

        Returns:
            Where they show their load.
        """
        self._room = max(MANY_TENANTS, 2 * tenants)
        longest = ("x" * MAX_TENANT_ID, max(_OUTCOMES.values(), key=len))
        key = mmap_key(_TENANT, f"{_TENANT}_total", [*_TENANT_LABELS], [*longest], _TENANT_HELP)
        by_tenant = self._room * len(set(_OUTCOMES.values())) * (len(key) + _ENTRY)
        for place in range(1, workers + 1):
            self._make_room(place, by_tenant)
        self._load = Load(workers)
        return self._load

    def join(self, place: int) -> None:
        """Count in a worker's place from now on, with what one has who died; they begin with 1."""
        self._place = place
        counted = labels_in(self._folder / f"counter_{place}.db", _TENANT, "tenant")
        self._known |= counted - {OTHERS}
        self.breaker(is_open=False)

    # --- what is told

    def whose(self, tenant: str) -> None:
        """See `Observer`."""
        self._thread.tenant = tenant

    def answered(self, answer: Answer) -> None:
        """See `Observer`."""
        self._requests.add(answer.route, answer.status, answer.code)
        self._seconds.add(answer.route, answer.seconds)
        tenant = getattr(self._thread, "tenant", "")
        if tenant:
            self._add_tenant(tenant, _OUTCOMES.get(answer.status // 100, "failed"))

    def refused_unread(self, status: int, code: str) -> None:
        """See `Observer`."""
        self._requests.add(UNREAD, status, code)

    def minted(self, kind: Minted) -> None:
        """See `Observer`."""
        self._minted.add(kind)

    def presented(self, outcome: str) -> None:
        """See `Observer`."""
        self._presented.add(outcome.lower())

    def ended(self, scope: Scope) -> None:
        """See `Observer`."""
        self._ended.add(scope)

    def happened(self, event: str) -> None:
        """See `Observer`."""
        self._events.add(event)

    def stepped(self, operation: str, seconds: float, *, done: bool) -> None:
        """See `Observer`."""
        self._steps.add(operation, seconds)
        if not done:
            self._step_errors.add(operation)

    def spared(self, operation: str) -> None:
        """See `Observer`."""
        self._step_errors.add(operation)

    def breaker(self, *, is_open: bool) -> None:
        """See `Observer`."""
        if self._load is not None and self._place:
            self._load.breaker.show(self._place - 1, int(is_open))

    def loaded(self, connections: int, busy: int, waiting: int) -> None:
        """See `Observer`."""
        if self._load is not None:
            place = self._place - 1
            self._load.connections.show(place, connections)
            self._load.busy.show(place, busy)
            self._load.waiting.show(place, waiting)

    def reloaded(self, result: Literal["ok", "refused"]) -> None:
        """Count an edit of the tenants' file, in the process that speaks for all."""
        self._reloads.add(result)

    def died(self) -> None:
        """Count a process that ended unasked."""
        self._deaths.inc()

    def _add_tenant(self, tenant: str, outcome: str) -> None:
        if (tenant, outcome) not in self._tenants:
            with self._lock:
                self._known.add(tenant)
                if len(self._known) > self._room:
                    self._known.discard(tenant)
                    tenant = OTHERS
        self._tenants.add(tenant, outcome)

    # --- what there is

    def _counter(self, name: str, words: str, *labels: str) -> Counted:
        return Counted(Counter(name, words, labels, registry=self._own))

    def _histogram(self, name: str, words: str, label: str) -> Timed:
        return Timed(Histogram(name, words, [label], registry=self._own, buckets=BUCKETS))

    def _count_answers(self) -> None:
        self._requests = self._counter(
            "kataven_requests",
            "Requests answered, by route, status and error code (ok where it is no error).",
            "route",
            "status",
            "code",
        )
        self._seconds = self._histogram(
            "kataven_request_duration_seconds",
            "How long an answer took; waiting for a thread and for the network is not in it.",
            "route",
        )
        for route in (*SIGN_IN, *FURTHER):
            self._requests.begin(route, 500, "internal_error")
        for route in SIGN_IN:
            self._requests.begin(route, 503, "state_unavailable")
            self._seconds.begin(route)
        self._tenants = self._counter(_TENANT, _TENANT_HELP, *_TENANT_LABELS)
        self._known: set[str] = set()

    def _count_tokens(self) -> None:
        self._minted = self._counter(
            "kataven_tokens_minted",
            "Sessions begun by a guest or a user, sessions that went on (refresh), and visitor"
            " tokens for backends.",
            "kind",
        )
        self._presented = self._counter(
            "kataven_refresh_tokens_presented",
            "Refresh tokens that reached the store, by what became of them; repeated is a second"
            " tab or a lost answer.",
            "outcome",
        )
        self._ended = self._counter(
            "kataven_revocations",
            "Calls that ended sessions: a logout ends one session, a backend's revoke all of a"
            " user's.",
            "scope",
        )
        for counted, kinds in (
            (self._minted, get_args(Minted)),
            (self._presented, (outcome.name.lower() for outcome in Outcome)),
            (self._ended, get_args(Scope)),
        ):
            for kind in kinds:
                counted.begin(kind)

    def _count_state(self) -> None:
        self._steps = self._histogram(
            "kataven_store_step_duration_seconds",
            "How long the state store took for a step, done or not.",
            "operation",
        )
        self._step_errors = self._counter(
            "kataven_store_errors",
            "Steps of the state store that failed, or weren't tried as it was out of reach.",
            "operation",
        )
        for operation in OPERATIONS:
            self._steps.begin(operation)
            self._step_errors.begin(operation)

    def _count_the_rest(self) -> None:
        self._reloads = self._counter(
            "kataven_config_reloads",
            "Edits of the tenants' file that were taken over (ok), or refused for their faults.",
            "result",
        )
        for result in ("ok", "refused"):
            self._reloads.begin(result)
        self._events = self._counter(
            "kataven_security_events",
            "Security events by their name in the log; every one counts, told in a line or not.",
            "event",
        )
        for event in Event:
            self._events.begin(event)
        self._deaths = Counter(
            "kataven_process_deaths",
            "Workers, and processes that show these metrics, that ended unasked and were replaced.",
            registry=self._own,
        )
