"""An engine on fakes, and the records and commands that tests give it."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact, Withdrawn
from safeguarding.v1.triage_pb2 import Linked, TriageFact
from services.chassis.deciding import Command
from services.chassis.engine import Answer, Engine, engine, standing
from services.chassis.engine.forerunners import Early
from services.chassis.engine.gathering import Gather
from services.chassis.engine.judge import Copier
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.reading import facts_of
from services.chassis.engine.wiring import Wiring
from services.chassis.kafka_in.chunk import Chunk, Held, Position, Record
from services.chassis.parked import ParkedRecords
from tests.fakes.decider import LinkingDecider, State
from tests.fakes.publisher import MemoryPublisher
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DESK = Actor(role=ROLE_TRIAGE, id="desk-1")
UPSTREAM = "upstream.v1"
OWN = "own.v1"


class House:
    """One engine with everything that it stands on, all in memory."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        publisher: MemoryPublisher | None = None,
        early: Early | None = None,
        gather: Gather[State] | None = None,
        copier: Copier[State] | None = None,
    ) -> None:
        self.store = store or MemoryStore("triage")
        self.publisher = publisher or MemoryPublisher()
        self.decider = LinkingDecider()
        self.parked = ParkedRecords("parked.v1", "triage", [UPSTREAM])
        self.released: list[Position] = []
        self.standing: list[tuple[str, bool]] = []
        self.died = threading.Event()
        self.now = NOON
        self._offset = 0
        self.engine: Engine[State] = Engine(
            Wiring(
                decider=self.decider,
                store=self.store,
                publisher=self.publisher,
                outbox=Outbox("triage", OWN, "TriageFact"),
                parked=self.parked,
                actor=Actor(role=ROLE_SERVICE, id="triage"),
                readers={UPSTREAM: facts_of("intake", IntakeFact)},
                early=early,
                gather=gather,
                copier=copier,
                clock=lambda: self.now,
                release=self.released.append,
                standing=lambda what, ready: self.standing.append((what, ready)),
                fatal=self.died.set,
            )
        )

    def say(self, referral_id: str, by: str, key: str = "", seen: int | None = None) -> Future[Answer[State]]:
        """Submit one command."""
        key = key or str(uuid.uuid4())
        command = Command(
            referral_id=referral_id,
            cause_id=key,
            actor=DESK,
            body=Linked(by=by),
            request_hmac=by.encode(),
            seen_sequence=seen,
        )
        [future] = self.engine.submit([command])
        return future

    def hear(self, *records: Record) -> Future[Held]:
        """Hand in one chunk."""
        return self.engine.handle(Chunk(list(records)))

    def record(self, referral_id: str, sequence: int, event: str = "", value: bytes | None = None) -> Record:
        """A record of intake's; `event` tells forks apart."""
        fact = IntakeFact(withdrawn=Withdrawn(reason=1))  # type: ignore[arg-type]  # a number of the enum
        fact.header.event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{referral_id}/{sequence}/{event}"))
        fact.header.referral_id = referral_id
        fact.header.sequence = sequence
        fact.header.occurred_at.FromDatetime(NOON)
        fact.header.actor.CopyFrom(DESK)
        fact.header.cause_id = "cause"
        self._offset += 1
        raw = fact.SerializeToString() if value is None else value
        return Record(UPSTREAM, 0, self._offset, 0, referral_id.encode(), raw, ())

    def published(self, referral_id: str) -> list[str]:
        """What lies on the engine's own topic for a referral, in order, repeats included."""
        records = [record for record in self.publisher.on(OWN) if record.key == referral_id.encode()]
        return [TriageFact.FromString(record.value).linked.by for record in records]

    def stored(self, referral_id: str) -> list[str]:
        """The engine's own facts in the store."""
        facts = self.store.documents.get(referral_id, {}).get("facts", {}).get("triage", [])
        return [TriageFact.FromString(raw).linked.by for raw in facts]

    @property
    def watched(self) -> int:
        """How many referrals have a clock that the engine keeps in memory."""
        return len(self.engine._clocks)

    def stop(self) -> None:
        """End the engine."""
        self.engine.stop(5)


@pytest.fixture(autouse=True)
def _waits_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes an engine its time is waiting: for its clock when idle, and for what is away."""
    monkeypatch.setattr(engine, "LONGEST_IDLE", 0.02)
    monkeypatch.setattr(standing, "FIRST_WAIT", 0.001)


@pytest.fixture
def house() -> Iterator[House]:
    """A running engine on fakes."""
    made = House()
    made.engine.start()
    yield made
    made.stop()


@pytest.fixture
def referral() -> str:
    """A new referral id."""
    return str(uuid.uuid4())


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], None]:
    """Waits until a condition holds, at most a minute."""

    def wait(holds: Callable[[], Any]) -> None:
        until = time.monotonic() + 60
        pause = threading.Event()
        while not holds():
            assert time.monotonic() < until, "it never came true"
            pause.wait(0.01)

    return wait
