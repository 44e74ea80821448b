"""Follows the index and flags looks that have no task: a fact on audit's own topic, which auditors find by a search."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence

import grpc

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.access_pb2 import ACCESS_KIND_FLAGGED, AccessFact, Anomaly
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor, FactHeader
from safeguarding.v1.intake_pb2 import FindWatchedRequest, WatchedReferral
from safeguarding.v1.intake_pb2_grpc import WatchedStub
from services.audit.anomalies import anomalies, may_be_flagged
from services.audit.index import Index, Placed
from services.audit.sequencer import end_process
from services.audit.views import Views
from services.chassis import logs
from services.chassis.access import Access
from services.chassis.engine.away import Away
from services.chassis.errors import Unavailable

AUDIT = "audit"
AT_ONCE = 256
"""Entries that are read together."""
MOST_FRESH = 20_000
"""Looks that are kept while intake is away; then the store is asked again."""
LOOK_EVERY = 1.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # the last repeats for as long as store, broker or intake is away
ASK_SECONDS = SEND_SECONDS = 5.0
REASONS = {number: name.removeprefix("ANOMALY_").lower() for name, number in Anomaly.items()}
_NAMESPACE = uuid.UUID("b8a1f1de-6a5c-5a36-8ab5-39a1c70c7f11")

Asks = Callable[[Sequence[str]], Sequence[WatchedReferral]]
log = logs.get(__name__)


class Fresh:
    """The looks among what was just indexed, kept until they are judged, so that the store is not read for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[int, TimelineEntry] = {}
        self._first: int | None = None
        """From this place of the log on, every look is here."""
        self._until = 0

    def saved(self, placed: Sequence[Placed], covered: int) -> None:
        """See Index.saved; a batch that was saved again counts once."""
        with self._lock:
            if self._first is None or len(self._looks) > MOST_FRESH:
                self._looks.clear()
                self._first = placed[0][0] if placed else covered
            self._looks |= {place: entry.timeline for place, entry in placed if may_be_flagged(entry.timeline)}
            self._until = max(self._until, covered)

    def take(self, first: int) -> tuple[int, Sequence[TimelineEntry]] | None:
        """Some looks from a place on, and up to where these are all; None where the store must be asked."""
        with self._lock:
            if self._first is None or first < self._first:
                return None
            places = sorted(place for place in self._looks if place >= first)
            until = places[AT_ONCE] if len(places) > AT_ONCE else self._until
            return until, [self._looks[place] for place in places[:AT_ONCE]]

    def judged(self, until: int) -> None:
        """What lies before that place is not needed any more."""
        with self._lock:
            self._looks = {place: look for place, look in self._looks.items() if place >= until}


class Watcher:
    """A plain thread. It goes on where it was, so no look is passed over, whatever was away or ended meanwhile.

    A flag's id follows from the look's: one that is sent again after a crash is the same record, byte for byte.
    """

    def __init__(
        self,
        index: Index,
        views: Views,
        asks: Asks,
        access: Access,
        on_fatal: Callable[[BaseException], None] = end_process,
    ) -> None:
        """`asks` says which referrals are about whom; raises Away."""
        self._index = index
        self._views = views
        self._asks = asks
        self._access = access
        self._on_fatal = on_fatal
        self._fresh = Fresh()
        self._position: int | None = None
        index.saved = self._fresh.saved
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End; what was not looked at is looked at after the next start."""
        self._stopping.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                done = self.step()
            except (Away, Unavailable) as away:
                log.warning("watcher_waits", away=str(away))
                self._stopping.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
            else:
                failures = 0
                if not done:
                    self._stopping.wait(LOOK_EVERY)

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to; the process must end
            self._on_fatal(error)

    def step(self) -> int:
        """Judge what follows in the index, and flag it; how many entries that were. Raises Away, Unavailable."""
        first = self._position if self._position is not None else self._index.watched()
        self._position = first
        until, looks = self._fresh.take(first) or self._stored(first)
        if until <= first:
            return 0
        about = {each.referral_id: each for each in self._whose(looks)}
        timelines: dict[str, Sequence[TimelineEntry]] = {}
        for look in looks:
            watched = about.get(look.referral_id)
            if watched is not None:
                if look.referral_id not in timelines:
                    timelines[look.referral_id] = self._views.timeline(look.referral_id)
                for anomaly in anomalies(look, watched, timelines[look.referral_id]):
                    self._flag(look, anomaly)
        self._index.remember_watched(until)
        self._position = until
        self._fresh.judged(until)
        return until - first

    def _stored(self, first: int) -> tuple[int, Sequence[TimelineEntry]]:
        """What was indexed before this process began."""
        until = min(self._index.covered_now(), first + AT_ONCE)
        found = self._views.at(range(first, until)) if until > first else []
        return until, [look for look in found if may_be_flagged(look)]

    def _whose(self, looks: Sequence[TimelineEntry]) -> Sequence[WatchedReferral]:
        referrals = sorted({look.referral_id for look in looks})
        return self._asks(referrals) if referrals else ()

    def _flag(self, look: TimelineEntry, anomaly: Anomaly.ValueType) -> None:
        fact = flag_of(look, anomaly)
        if self._views.first(fact.header.event_id) is not None:
            return  # flagged before; the index was made again since
        self._access.send(fact, SEND_SECONDS)
        log.warning("look_flagged", event_id=fact.header.event_id, anomaly=fact.reason)


def flag_of(look: TimelineEntry, anomaly: Anomaly.ValueType) -> AccessFact:
    """The fact that flags a look. All of it follows from the look, its time too."""
    return AccessFact(
        header=FactHeader(
            event_id=str(uuid.uuid5(_NAMESPACE, f"{look.event_id}|{anomaly}")),
            referral_id=look.referral_id,
            occurred_at=look.occurred_at,
            actor=Actor(role=ROLE_SERVICE, id=AUDIT),
            cause_id=look.event_id,
        ),
        kind=ACCESS_KIND_FLAGGED,
        method=look.method,
        reason=REASONS[anomaly],
        anomaly=anomaly,
        looker=look.actor,
    )


def asking(channel: grpc.Channel) -> Asks:
    """Asks intake, which alone can tell."""
    stub = WatchedStub(channel)

    def asks(referral_ids: Sequence[str]) -> Sequence[WatchedReferral]:
        try:
            found = stub.FindWatched(FindWatchedRequest(referral_ids=referral_ids), timeout=ASK_SECONDS)
        except grpc.RpcError as error:
            raise Away("intake", error.code().name) from error
        return tuple(found.referrals)

    return asks
