"""Intake, triage and partner-routing in one process: their own deciders, doors and engines on fakes of the rest."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from safeguarding.v1 import intake_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from services import topics
from services.chassis.access import Access
from services.chassis.areas import load_areas
from services.chassis.commanding import Commands
from services.chassis.deciding import Command, Context
from services.chassis.directory import Directory
from services.chassis.engine import Answer, Engine
from services.chassis.engine.document import Document
from services.chassis.engine.items import Item
from services.chassis.engine.judge import Judge, Kind, Verdict
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.reading import Reader, facts_of
from services.chassis.engine.wiring import Wiring
from services.chassis.kafka_in.chunk import Chunk, Record
from services.chassis.keys import Keys, ReferralKeys
from services.chassis.language import SERVICES
from services.chassis.parked import ParkedRecords
from services.chassis.records import OutRecord
from services.chassis.sealing import KeyWrapper
from services.chassis.service import Parts
from services.cli.local.credentials import x25519_public_key
from services.cli.local.environments import AREAS, default_area
from services.intake.domain import IntakeDecider
from services.intake.linking import Linker
from services.intake.sealed import unwrapped
from services.partner_routing.area import Area as RoutingArea
from services.partner_routing.area import load_stated
from services.partner_routing.copies import RoutingCopier
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.gather import Gatherer as RoutingGatherer
from services.partner_routing.stream import ReplyReader
from services.triage.area import Area as TriageArea
from services.triage.domain import TriageDecider
from services.triage.gather import Gatherer as TriageGatherer
from services.triage.index import Index
from services.triage.views import Referrals as TriageReferrals
from tests.fakes.linking import FakeBuckets
from tests.fakes.publisher import Sent
from tests.fakes.store import MemoryStore

AREA = AREAS / default_area()
PRIVATE = "11" * 32
PUBLIC = x25519_public_key(PRIVATE)
"""Everyone's X25519 key on this stage."""
BEGINS = datetime(2026, 11, 20, 12, tzinfo=UTC)
FACTS: Mapping[str, Any] = {
    "intake": intake_pb2.IntakeFact,
    "triage": triage_pb2.TriageFact,
    "partner-routing": routing_pb2.RoutingFact,
}
READS = {"intake": ("triage",), "triage": ("intake", "partner-routing"), "partner-routing": ("intake", "triage")}
TOPICS = {topic.writer: topic for topic in (topics.INTAKE, topics.TRIAGE, topics.ROUTING)}


class Defect(Exception):
    """A decider failed, or something else happened that no input may bring about."""


class KeepingStore(MemoryStore):
    """Keeps what intake keeps beside its facts: the wrapped keys."""

    def _saved(self, changed: Sequence[Any], *rest: Any) -> set[str]:
        keys = {document.id: self.documents.get(document.id, {}).get("keys", {}) for document in changed}
        lost = super()._saved(changed, *rest)
        for document in changed:
            if document.id not in lost:
                own = {path.removeprefix("keys."): value for path, value in document.keeps.items()}
                self.documents[document.id]["keys"] = keys[document.id] | own
        return lost


class Loose:
    """The few calls of a collection that nothing but its own service keeps, in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}

    def replace_one(self, query: Mapping[str, Any], document: dict[str, Any], *, upsert: bool) -> None:
        """Put the document in its place."""
        self.kept[query["_id"]] = copy.deepcopy(document)

    def delete_one(self, query: Mapping[str, Any]) -> None:
        """Take it away."""
        self.kept.pop(query["_id"], None)

    def find(self, query: Mapping[str, Any]) -> Any:
        """All that have these values."""
        every = [copy.deepcopy(each) for each in self.kept.values()]
        return Found([each for each in every if all(each[name] == value for name, value in query.items())])


class Documents:
    """The few queries that views ask of a collection, over a store in memory."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def find_one(self, query: Mapping[str, Any]) -> dict[str, Any] | None:
        """One document, as a copy."""
        return next(iter(self._found(query)), None)

    def find(self, query: Mapping[str, Any], fields: Any = None) -> Any:
        """All that match; fields are given whole."""
        return Found(self._found(query))

    def _found(self, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        match dict(query):
            case {"_id": {"$in": ids}}:
                found = [self._store.documents[each] for each in ids if each in self._store.documents]
            case {"_id": one}:
                found = [self._store.documents[one]] if one in self._store.documents else []
            case {"view.partners": partner}:
                found = [each for each in self._store.documents.values() if partner in each["view"].get("partners", ())]
            case {"view.waiting": True}:
                found = [each for each in self._store.documents.values() if each["view"].get("waiting")]
            case {"view.counted.quarter": quarter}:
                views = [(each["view"]["counted"], each) for each in self._store.documents.values()]
                found = [each for counted, each in views if counted.get("quarter") == quarter]
            case other:
                raise Defect(f"no view was known to ask for {sorted(other)}")
        return copy.deepcopy(found)


class Found(list[dict[str, Any]]):
    """A cursor."""

    def sort(self, _order: Any) -> Found:  # type: ignore[override]  # as a cursor's
        """Order is of no interest here."""
        return self

    def limit(self, most: int) -> Found:
        """At most so many; a limit below 0 is one that MongoDB reads in its own way."""
        if most < 0:
            raise Defect("a limit below 0 reached the store")
        return Found(self[:most] if most else self)


class Bus:
    """Kafka: records by topic, in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._offsets: dict[str, Iterator[int]] = {}

    def begin(self, records: Sequence[OutRecord], timeout: float) -> Sent:
        """See Publisher."""
        self.publish(records, timeout)
        return Sent()

    def publish(self, records: Sequence[OutRecord], timeout: float) -> None:
        """See SharedPublisher."""
        for record in records:
            self.write(record.topic, record.key, record.value, tuple(record.headers))

    def write(self, topic: str, key: bytes | None, value: bytes | None, headers: tuple[Any, ...] = ()) -> Record:
        """Put one record on a topic."""
        offset = next(self._offsets.setdefault(topic, itertools.count()))
        record = Record(topic, 0, offset, 1_790_000_000_000, key, value, headers)
        self.records.append(record)
        return record

    def close(self) -> None:
        """See Publisher."""


class Watched(Judge[Any]):
    """Says at once which decider failed, and how."""

    def judge(self, item: Item, document: Document[Any], context: Context) -> Verdict:
        """See Judge. Raises Defect where the decider failed."""
        verdict = super().judge(item, document, context)
        if verdict.kind is Kind.FAILED:
            raise Defect(f"{context.service.id} failed on {type(item.given).__name__}") from verdict.error
        return verdict


class Inline(Engine[Any]):
    """The engine, taking its turns on the caller's thread: one case, one stack trace."""

    def __init__(self, wiring: Wiring[Any]) -> None:
        super().__init__(wiring)
        self._turns._judge = Watched(wiring.decider, wiring.copier)

    def run(self) -> None:
        """Take turns until nothing waits. What is overdue is settled too."""
        while self.waiting:
            self._until_done(self._queue.take(500, 8 << 20, 0.0))

    def submit(self, commands: Sequence[Command]) -> list[Future[Answer[Any]]]:
        """See Engine."""
        futures = super().submit(commands)
        self.run()
        return futures

    def replay(self, positions: Any = None) -> list[Future[bool]]:
        """See Engine."""
        futures = super().replay(positions)
        self.run()
        return futures

    def clocks(self) -> None:
        """Let every clock that is due by now run out."""
        self._tick()
        self.run()


@dataclass
class Actors:
    """One service: what it decides on and by."""

    id: str
    store: KeepingStore
    parked: ParkedRecords
    engine: Inline
    parts: Parts[Any]


class Stage:
    """The three of them. `settle` lets facts flow until nothing moves; `save` and `restore` go back to a moment."""

    def __init__(self, folder: Path) -> None:
        self.now = BEGINS
        self.folder = folder
        self.bus = Bus()
        self.wrapper = KeyWrapper(b"e" * 32)
        self.linker = Linker(b"l" * 32)
        self.areas = load_areas(AREA).codes
        self.partners = _written(folder)
        self.directory = Directory(folder)
        self.keys: Any = LocalKeys(self)
        self._read = 0
        self._triage_area = TriageArea(AREA)
        stated = load_stated(AREA)
        self.routing_area = RoutingArea(lambda: stated, self.directory)
        self.stores = {service: KeepingStore(service) for service in FACTS}
        self.answers: Any = Loose()
        self.services: dict[str, Actors] = {}
        self.forget()

    def forget(self) -> None:
        """Begin with new engines, as processes that start anew; stores stay."""
        self._buckets = FakeBuckets()
        gather = {
            "intake": lambda work: {},
            "triage": TriageGatherer(
                self.keys, Index(self._buckets, b"i" * 32), TriageReferrals(_collection(self.stores["triage"]))
            ).gather,
            "partner-routing": RoutingGatherer(self.keys).gather,
        }
        self.services = {service: self._service(service, gather[service]) for service in FACTS}

    def _service(self, service: str, gather: Any) -> Actors:
        decider: Any = {"intake": IntakeDecider, "triage": TriageDecider, "partner-routing": RoutingDecider}[service]()
        rules: Any = {
            "intake": lambda: None,
            "triage": lambda: self._triage_area,
            "partner-routing": self.routing_area.snapshot,
        }[service]
        topic = TOPICS[service]
        upstreams = {TOPICS[writer].name: writer for writer in READS[service]}
        parked = ParkedRecords(topics.parked_topic(service).name, service, upstreams)
        readers: dict[str, Reader] = {name: facts_of(writer, FACTS[writer]) for name, writer in upstreams.items()}
        if service == "partner-routing":
            replies = ReplyReader(bytes.fromhex(PRIVATE))
            readers |= {topics.partner_topics(partner)[1].name: replies for partner in self.partners}
        engine = Inline(
            Wiring(
                decider=decider,
                store=self.stores[service],
                publisher=self.bus,
                outbox=Outbox(service, topic.name, topic.carries),
                parked=parked,
                actor=Actor(role=ROLE_SERVICE, id=service),
                readers=readers,
                copier=RoutingCopier() if service == "partner-routing" else None,
                gather=gather,
                rules=rules,
                clock=lambda: self.now,
                fatal=_died,
            )
        )
        parts: Any = Parts(
            settings=None,  # type: ignore[arg-type]  # no handler reads them
            engine=engine,
            collection=_collection(self.stores[service]),
            commands=Commands(b"h" * 32),
            access=Access(self.bus.publish, service, lambda: self.now),
            directory=self.directory,
            clock=lambda: self.now,
        )
        return Actors(service, self.stores[service], parked, engine, parts)

    def settle(self) -> None:
        """Give each record to its readers, until there is nothing new."""
        while self._read < len(self.bus.records):
            fresh = self.bus.records[self._read :]
            self._read = len(self.bus.records)
            for service in self.services:
                self.hand(service, [record for record in fresh if self.reads(service, record.topic)])

    def hand(self, service: str, records: Iterable[Record]) -> None:
        """Give records to one reader, as a fetch would."""
        chunk = Chunk(list(records))
        if chunk.records:
            engine = self.services[service].engine
            engine.handle(chunk)
            engine.run()

    def reads(self, service: str, topic: str) -> bool:
        """Whether the service reads the topic."""
        if topic.endswith(".replies.v1"):
            return service == "partner-routing"
        return any(topic == TOPICS[writer].name for writer in READS[service])

    def later(self, by: timedelta) -> None:
        """Let time pass, and clocks run out."""
        self.now += by
        for service in self.services.values():
            service.engine.clocks()
        self.settle()

    def save(self) -> dict[str, Any]:
        """This moment."""
        return {
            "now": self.now,
            "stores": {name: copy.deepcopy(store.documents) for name, store in self.stores.items()},
        }

    def restore(self, moment: Mapping[str, Any]) -> None:
        """Back to it, with nothing on the bus."""
        self.now = moment["now"]
        for name, store in self.stores.items():
            store.documents = copy.deepcopy(moment["stores"][name])
            store.calls.clear()
        self.bus.records.clear()
        self._read = 0
        self.forget()


class LocalKeys(Keys):
    """Data keys straight from intake's store."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, ReferralKeys]:
        """See Keys."""
        documents = self._stage.stores["intake"].documents
        return {
            each: unwrapped(self._stage.wrapper, each, documents.get(each, {}).get("keys", {})) for each in referral_ids
        }

    def expect(self, referral_ids: Collection[str]) -> None:
        """See Keys; nothing need be waited for."""

    def forget(self, referral_id: str) -> None:
        """See Keys; nothing is remembered."""


def _collection(store: MemoryStore) -> Any:
    return Documents(store)


def _died() -> None:
    raise Defect("an engine died")


def _written(folder: Path) -> list[str]:
    """The area's partners as entries of a directory; their ids."""
    (folder / "partner").mkdir(parents=True)
    found = load_areas(AREA).partners
    for each in found:
        serves = [SERVICES.word(service) for service in each.serves]
        (folder / "partner" / f"{each.id}.toml").write_text(
            f'name = "{each.name}"\nkind = "{each.kind}"\nserves = {serves!r}\nareas = {list(each.areas)!r}\n'
            f'public_key = "{PUBLIC}"\nkafka = {str(each.kafka).lower()}\nlead = {str(each.lead).lower()}\n'
        )
    return [each.id for each in found]
