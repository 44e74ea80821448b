"""What the fuzzing found, one test each."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import PARKED_CLASS_UNREADABLE, ParkedRecord
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas
from services.chassis.directory import BrokenEntry, Directory
from services.chassis.engine.reading import facts_of
from services.chassis.identity import ROLES, Name
from services.chassis.kafka_in.chunk import Record
from services.chassis.parked import ParkedRecords
from services.chassis.tail import StoreBehind, check
from tests.fakes.store import MemoryStore
from tests.fuzz.world import World

NESTED = "x = " + "[" * 5_000


@pytest.fixture(autouse=True)
def _only_intake_knows(world: World) -> None:
    for service in ("triage", "partner-routing"):
        world.stage.stores[service].documents.clear()


def raised(world: World) -> Record:
    """A first fact of a referral that only intake knows any more."""
    return next(record for record in world.records if record.topic == topics.INTAKE.name)


def with_time(record: Record, **wrong: int) -> Record:
    fact = IntakeFact.FromString(record.value or b"")
    for name, number in wrong.items():
        setattr(fact.header.occurred_at, name, number)
    return record._replace(value=fact.SerializeToString())


@pytest.mark.parametrize("wrong", [{"nanos": -1}, {"nanos": 10**9}, {"seconds": 2**60}])
def test_a_fact_whose_time_is_none_is_parked_and_stops_nobody(world: World, wrong: dict[str, int]) -> None:
    record = with_time(raised(world), **wrong)

    world.stage.hand("triage", [record])

    [entry] = world.stage.services["triage"].parked.entries()
    assert entry.kind == PARKED_CLASS_UNREADABLE


def test_a_record_whose_writers_clock_is_wrong_can_be_parked(world: World) -> None:
    world.stage.hand("triage", [raised(world)._replace(value=b"\xff", timestamp_ms=2**62)])

    [entry] = world.stage.services["triage"].parked.entries()
    written = next(record for record in world.stage.bus.records if record.topic == "referrals.parked.triage.v1")
    assert entry.kind == PARKED_CLASS_UNREADABLE
    assert not ParkedRecord.FromString(written.value or b"").parked.HasField("record_time")


def test_a_damaged_part_is_left_out_of_the_offer_and_the_offer_is_made(world: World) -> None:
    fact = IntakeFact.FromString(raised(world).value or b"")
    for part in [*fact.raised.parts, *(part for subject in fact.raised.subjects for part in subject.parts)]:
        part.ciphertext = bytes(len(part.ciphertext))
    damaged = raised(world)._replace(value=fact.SerializeToString())

    for service in ("triage", "partner-routing"):
        world.stage.hand(service, [damaged])
    world.stage.settle()
    world.stage.later(timedelta(hours=30))

    facts = [RoutingFact.FromString(r.value or b"") for r in world.stage.bus.records if r.topic == topics.ROUTING.name]
    own = [each.WhichOneof("fact") for each in facts if each.header.referral_id == fact.header.referral_id]
    assert "offered" in own
    assert "expired" in own


def test_a_clock_that_the_area_lacks_gives_the_shortest_time_and_keeps_no_offer_back(world: World) -> None:
    routed = next(r for r in world.records if TriageFact.FromString(r.value or b"").WhichOneof("fact") == "routed")
    referral_id = (routed.key or b"").decode()
    facts = [r for r in world.records if r.key == routed.key and r.topic in (topics.INTAKE.name, topics.TRIAGE.name)]
    fact = TriageFact.FromString(routed.value or b"")
    for leg in fact.routed.legs:
        leg.respond_clock = "respond_never"
    changed = [routed._replace(value=fact.SerializeToString()) if r is routed else r for r in facts]

    world.stage.hand("partner-routing", changed)

    known = [RoutingFact.FromString(r.value or b"") for r in world.stage.bus.records if r.topic == topics.ROUTING.name]
    offers = [each for each in known if each.WhichOneof("fact") == "offered" and each.header.referral_id == referral_id]
    assert len(offers) == len(fact.routed.legs)
    for offer in offers:
        given = offer.offered.respond_by.at.ToDatetime() - offer.header.occurred_at.ToDatetime()
        assert given <= timedelta(hours=24)


@pytest.mark.parametrize("value", [b"\xff\xff", b"", None])
def test_what_is_no_parked_record_does_not_keep_a_service_from_starting(value: bytes | None) -> None:
    parked = ParkedRecords("referrals.parked.triage.v1", "triage", [topics.INTAKE.name])

    parked.restore_one(Record("referrals.parked.triage.v1", 0, 0, 0, b"k", value, ()))

    assert parked.entries() == []


class OneRecord:
    """A consumer of a topic that holds one record."""

    _cluster = SimpleNamespace(request_update=lambda: None)

    def __init__(self, record: Record) -> None:
        self._record = record
        self._polled = False

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {0}

    def assign(self, partitions: Any) -> None:
        self._partition = partitions[0]

    def end_offsets(self, partitions: Any, timeout_ms: int) -> dict[Any, int]:
        return dict.fromkeys(partitions, 1)

    def beginning_offsets(self, partitions: Any, timeout_ms: int) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, _partition: Any, _offset: int) -> None:
        """There is only one."""

    def position(self, _partition: Any) -> int:
        return int(self._polled)

    def poll(self, timeout_ms: int) -> dict[Any, list[Record]]:
        self._polled = True
        return {self._partition: [self._record]}

    def close(self, *, autocommit: bool) -> None:
        """Nothing was opened."""


def on_own_topic(value: bytes | None, key: bytes = b"k") -> None:
    """What intake does at its start where its own topic ends with this record, of which its store knows nothing."""
    record = Record(topics.INTAKE.name, 0, 0, 0, key, value, ())
    check(
        topics.INTAKE.name, "intake", facts_of("intake", IntakeFact), MemoryStore("intake"), lambda: OneRecord(record)
    )


def test_what_readers_would_park_on_an_own_topic_does_not_keep_a_service_from_starting(world: World) -> None:
    fact = IntakeFact.FromString(raised(world).value or b"")
    key = fact.header.referral_id.encode()
    on_own_topic(None)
    on_own_topic(fact.SerializeToString(), key=b"another's")
    fact.ClearField("raised")
    on_own_topic(fact.SerializeToString(), key)


def test_a_fact_on_an_own_topic_that_the_store_lacks_still_does(world: World) -> None:
    fact = raised(world)

    with pytest.raises(StoreBehind):
        on_own_topic(fact.value, fact.key or b"")


def test_a_file_that_is_nested_too_deep_is_refused(tmp_path: Path) -> None:
    (tmp_path / "partners.toml").write_text(NESTED)
    (tmp_path / "partner").mkdir()
    (tmp_path / "partner" / "one.toml").write_text(NESTED)

    with pytest.raises(FileRefused, match="deep"):
        load_areas(tmp_path)
    with pytest.raises(BrokenEntry, match=r"partner/one\.toml"):
        Directory(tmp_path).find(Name(ROLES["partner"], "one"))
