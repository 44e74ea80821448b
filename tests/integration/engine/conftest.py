"""An engine between a real store and real topics, with faults where a test wants them."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE, ROLE_TRIAGE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact, Withdrawn
from safeguarding.v1.triage_pb2 import Linked, TriageFact
from services.chassis.deciding import Command
from services.chassis.engine import Engine, Wiring
from services.chassis.engine.away import Away
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.publisher import OwnPublisher, Sending
from services.chassis.engine.reading import facts_of
from services.chassis.engine.sessions import Tell
from services.chassis.engine.store import MongoStore
from services.chassis.kafka_in.chunk import Record
from services.chassis.kafka_in.consumer import KafkaIn
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.parked import ParkedRecords
from services.cli.local.stack import Stack
from tests.fakes.decider import LinkingDecider, State
from tests.integration.conftest import MakeTopic

DESK = Actor(role=ROLE_TRIAGE, id="desk-1")


class Commands(CommandListener):
    """Counts the commands that the store is sent, by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def started(self, event: CommandStartedEvent) -> None:
        """See CommandListener."""
        self.counts[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See CommandListener."""

    def failed(self, event: CommandFailedEvent) -> None:
        """See CommandListener."""


class Faults:
    """Makes calls fail, by point: before they are made, or after, when they took effect and only the answer is lost."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], int] = {}
        self.met: Counter[str] = Counter()

    def fail(self, point: str, when: str, times: int = 1) -> None:
        """Fail the next `times` calls of a point."""
        self._due[point, when] = times

    def call(self, point: str, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Make the call, or not."""
        self.meet(point, "before", what)
        result = function(*arguments)
        self.meet(point, "after", what)
        return result

    def meet(self, point: str, when: str, what: str) -> None:
        """Raise Away where this point is to fail."""
        if self._due.get((point, when)):
            self._due[point, when] -= 1
            self.met[f"{point} {when}"] += 1
            raise Away(what, "injected")


class FaultyStore:
    """The real store behind faults."""

    def __init__(self, store: MongoStore, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: self._faults.call(name, "store", getattr(self._store, name), *arguments)


class FaultySending:
    """What the real publisher sends, behind faults."""

    def __init__(self, sending: Sending, faults: Faults) -> None:
        self._sending = sending
        self._faults = faults

    def wait(self, tell: Tell | None = None) -> bool:
        """See Sending."""
        acknowledged = self._sending.wait(tell)
        if acknowledged:
            self._faults.meet("publish", "after", "broker")
        return acknowledged


class FaultyPublisher:
    """The real publisher behind faults; counts its waits."""

    def __init__(self, publisher: OwnPublisher, faults: Faults) -> None:
        self._publisher = publisher
        self._faults = faults
        self.waits = 0

    def begin(self, records: Sequence[Any], timeout: float) -> Sending:
        """See Publisher."""
        self.waits += 1
        self._faults.meet("publish", "before", "broker")
        return FaultySending(self._publisher.begin(records, timeout), self._faults)

    def close(self) -> None:
        """See Publisher."""
        self._publisher.close()


class TurnCosts:
    """Keeps, at the end of each turn and on the engine's own thread, what the store was sent until then."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self.turns: list[tuple[int, Counter[str]]] = []

    def turned(self, inputs: int, seconds: float) -> None:
        """See Observer."""
        self.turns.append((inputs, +self._commands.counts))

    def stored(self, operation: str, seconds: float) -> None:
        """See Observer."""

    def published(self, records: int, seconds: float) -> None:
        """See Observer."""


class Works:
    """One engine with a real store and real topics of its own."""

    def __init__(self, mongo_url: str, access: KafkaAccess, make_topic: MakeTopic, group: str) -> None:
        self.access = access
        self.upstream, self.own, self.parked_topic = make_topic("up"), make_topic("own"), make_topic("parked")
        self.commands = Commands()
        self.client: MongoClient[dict[str, Any]] = MongoClient(
            mongo_url, event_listeners=[self.commands], retryWrites=False, tz_aware=True
        )
        self.collection = self.client[f"engine_{uuid.uuid4().hex[:8]}"]["referrals"]
        store = MongoStore(self.collection, "triage")
        store.prepare()
        self.costs = TurnCosts(self.commands)
        self.faults = Faults()
        self.publisher = FaultyPublisher(
            OwnPublisher(lambda: AIOKafkaProducer(**access.batch_producer("engine-test"))), self.faults
        )
        self.decider = LinkingDecider()
        self.parked = ParkedRecords(self.parked_topic, "triage", [self.upstream])
        self.died = threading.Event()
        self.kafka_in: KafkaIn | None = None
        self.engine: Engine[State] = Engine(
            Wiring(
                decider=self.decider,
                store=FaultyStore(store, self.faults),
                publisher=self.publisher,
                outbox=Outbox("triage", self.own, "TriageFact"),
                parked=self.parked,
                actor=Actor(role=ROLE_SERVICE, id="triage"),
                readers={self.upstream: facts_of("intake", IntakeFact)},
                release=lambda position: self.kafka_in.release(*position) if self.kafka_in else None,
                observer=self.costs,
                fatal=self.died.set,
            )
        )
        self._group = group

    def start(self, *, reading: bool = True) -> None:
        """Start the engine and, mostly, Kafka in."""
        self.engine.start()
        if reading:
            self.kafka_in = KafkaIn(self.access, [self.upstream], self._group, self.engine.handle)
            self.kafka_in.start()

    def stop(self) -> None:
        """Stop all, in the order of a service."""
        if self.kafka_in:
            self.kafka_in.stop()
        self.engine.stop(10)
        self.publisher.close()
        self.client.close()

    def write(self, referrals: Sequence[str], sequences: Sequence[int]) -> None:
        """Write facts of intake's with these sequences onto the upstream topic, each referral's in order."""
        producer = KafkaProducer(**self.access.producer("engine-test-writer"))
        for sequence in sequences:
            for referral in referrals:
                producer.send(self.upstream, key=referral.encode(), value=fact(referral, sequence).SerializeToString())
        producer.flush()
        producer.close()

    def published(self) -> dict[str, list[tuple[str, bytes]]]:
        """What lies on the engine's own topic: (event id, value) by referral, in order."""
        consumer = KafkaConsumer(**self.access.consumer("engine-test-reader"))
        partitions = [TopicPartition(self.own, number) for number in range(6)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: dict[str, list[tuple[str, bytes]]] = {}
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    event = TriageFact.FromString(record.value).header.event_id
                    found.setdefault(record.key.decode(), []).append((event, record.value))
        consumer.close()
        return found

    def wait_until_handled(self, records: int) -> None:
        """Wait until so many records were applied or found repeated, and nothing is left to publish."""
        self.wait_for(lambda: self.engine.counts["applied"] + self.engine.counts["repeated"] >= records)
        self.wait_for(lambda: self.collection.count_documents({"pending": True}) == 0)

    def wait_for(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + seconds
        pause = threading.Event()
        while not holds():
            assert time.monotonic() < until, f"it never came true: {self.engine.counts}, away {self.engine.away}"
            pause.wait(0.05)


def fact(referral: str, sequence: int) -> IntakeFact:
    """A fact of intake's; which one does not matter here."""
    made = IntakeFact(withdrawn=Withdrawn(reason=1))  # type: ignore[arg-type]  # a number of the enum
    made.header.event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{referral}/{sequence}"))
    made.header.referral_id = referral
    made.header.sequence = sequence
    made.header.occurred_at.GetCurrentTime()
    made.header.actor.CopyFrom(DESK)
    made.header.cause_id = "cause"
    return made


def upstream_records(works: Works, referrals: Sequence[str], sequence: int) -> list[Record]:
    """Records as Kafka in would hand them over."""
    return [
        Record(works.upstream, 0, n, 0, referral.encode(), fact(referral, sequence).SerializeToString(), ())
        for n, referral in enumerate(referrals)
    ]


def command(referral: str, by: str) -> Command:
    """A command of the desk's."""
    return Command(referral, str(uuid.uuid4()), DESK, Linked(by=by), by.encode())


@pytest.fixture
def works(broker: Stack, store: Stack, kafka: KafkaAccess, make_topic: MakeTopic, group: str) -> Iterator[Works]:
    """An engine on the real store and broker, not started."""
    store.wait_ready(["mongo"])
    made = Works(store.mongo_url, kafka, make_topic, group)
    yield made
    made.stop()
