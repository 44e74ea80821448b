"""What Kafka's records may rely on: applied once, in order, held, or parked; never skipped."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from safeguarding.v1.parked_pb2 import ParkedClass, ParkedRecord
from services.chassis.deciding import Input
from services.chassis.engine import gaps
from services.chassis.kafka_in.chunk import Record
from tests.unit.engine.conftest import UPSTREAM, House

Eventually = Callable[[Callable[[], Any]], None]


def test_a_fact_leads_to_what_is_decided_of_it_once_however_often_it_comes(house: House, referral: str) -> None:
    """At or below the list's length is a repeat."""
    record = house.record(referral, 1)

    assert list(house.hear(record).result(60)) == []
    assert list(house.hear(record, record).result(60)) == []

    assert house.published(referral) == ["upstream 1"]


def test_a_gap_is_held_and_heals_by_itself(house: House, referral: str, eventually: Eventually) -> None:
    """Later records of that referral wait; the chunk is answered, and its place released later."""
    first, second, third = (house.record(referral, n) for n in (1, 2, 3))

    held = house.hear(third, second).result(60)
    assert sorted(held) == sorted([second.position, third.position])
    assert house.published(referral) == []

    house.hear(first).result(60)

    eventually(lambda: house.published(referral) == ["upstream 1", "upstream 2", "upstream 3"])
    eventually(lambda: sorted(house.released) == sorted([second.position, third.position]))


def test_a_gap_that_nobody_heals_is_parked_after_the_alarm_and_goes_on_when_the_fact_comes(
    house: House, referral: str, eventually: Eventually, monkeypatch: Any
) -> None:
    """Its place is released, so that commits go on; the record waits on the parked topic."""
    monkeypatch.setattr(gaps, "ALARM_AFTER", 0.0)
    second = house.record(referral, 2)
    house.hear(second).result(60)

    eventually(lambda: house.released == [second.position])
    [entry] = house.parked.entries()
    assert entry.kind == ParkedClass.PARKED_CLASS_GAP

    house.hear(house.record(referral, 1)).result(60)

    eventually(lambda: house.published(referral) == ["upstream 1", "upstream 2"])
    eventually(lambda: house.parked.entries() == [])


def test_the_same_sequence_with_another_event_id_is_a_fork_and_parked(house: House, referral: str) -> None:
    """Never taken for a repeat."""
    house.hear(house.record(referral, 1)).result(60)

    house.hear(house.record(referral, 1, event="other")).result(60)

    [entry] = house.parked.entries()
    assert entry.kind == ParkedClass.PARKED_CLASS_FORK
    assert house.published(referral) == ["upstream 1"]


def test_what_cannot_be_read_is_parked_whole_and_blocks_only_its_own_referral(house: House, referral: str) -> None:
    """The untouched record lies on the parked topic."""
    other = "7b0e2d52-3c3a-5d5c-9c51-0f4c6f4f2a11"
    garbage = house.record(referral, 1, value=b"\xff\xfe not protobuf")

    house.hear(garbage, house.record(referral, 2), house.record(other, 1)).result(60)

    [first, behind] = house.publisher.on("parked.v1")
    assert ParkedRecord.FromString(first.value).parked.value == garbage.value
    assert getattr(ParkedRecord.FromString(behind.value).parked, "class") == ParkedClass.PARKED_CLASS_BEHIND
    assert house.published(referral) == []
    assert house.published(other) == ["upstream 1"]


def test_a_reader_that_fails_parks_its_record_and_no_other(
    house: House, referral: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug of its own ends nobody."""
    other = str(uuid.uuid4())
    bad = house.record(referral, 1)
    readers: Any = house.engine._w.readers
    read = readers[UPSTREAM]

    def fails(record: Record) -> Input:
        if record is bad:
            raise LookupError
        found: Input = read(record)
        return found

    monkeypatch.setitem(readers, UPSTREAM, fails)
    house.hear(bad, house.record(other, 1)).result(60)

    [entry] = house.parked.entries()
    assert (entry.kind, entry.error) == (ParkedClass.PARKED_CLASS_BUG, "LookupError")
    assert house.published(other) == ["upstream 1"]
    assert not house.died.is_set()


def test_junk_on_a_topic_holds_back_no_fact_that_follows_its_predecessor(house: House, referral: str) -> None:
    """What is missing is known by its sequence, so a foreign record blocks nothing."""
    house.hear(house.record(referral, 0, value=b"\xff"), house.record(referral, 1)).result(60)

    assert house.published(referral) == ["upstream 1"]


def test_after_a_fork_nothing_of_that_referral_and_source_is_handled(house: House, referral: str) -> None:
    """Nobody knows which branch a later fact belongs to."""
    house.hear(house.record(referral, 1)).result(60)
    house.hear(house.record(referral, 1, event="other")).result(60)

    house.hear(house.record(referral, 2)).result(60)

    assert house.published(referral) == ["upstream 1"]
    assert [entry.kind for entry in house.parked.entries()] == [
        ParkedClass.PARKED_CLASS_FORK,
        ParkedClass.PARKED_CLASS_BEHIND,
    ]


def test_what_comes_in_one_fetch_with_a_fork_and_after_it_is_not_handled_either(house: House, referral: str) -> None:
    """As it is not where it comes in the next; what came before the fork is, and so are others."""
    other = str(uuid.uuid4())
    house.hear(house.record(referral, 1)).result(60)

    house.hear(
        house.record(referral, 2),
        house.record(referral, 1, event="other"),
        house.record(other, 1),
        house.record(referral, 3, event="other"),
    ).result(60)

    house.hear(house.record(other, 2)).result(60)
    assert house.published(referral) == ["upstream 1", "upstream 2"]
    assert house.published(other) == ["upstream 1", "upstream 2"]
    assert [entry.kind for entry in house.parked.entries()] == [
        ParkedClass.PARKED_CLASS_FORK,
        ParkedClass.PARKED_CLASS_BEHIND,
    ]


@pytest.mark.parametrize("named", [True, False], ids=["by itself", "with all that is parked"])
def test_what_lies_behind_a_fork_goes_on_where_an_operator_replays_it(house: House, referral: str, named: bool) -> None:
    """Who knows the branch says so; of itself nothing goes on."""
    house.hear(house.record(referral, 1), house.record(referral, 1, event="other"), house.record(referral, 2)).result(
        60
    )
    [_, behind] = house.parked.entries()

    replayed = house.engine.replay([behind.record.position] if named else None)
    assert [future.result(60) for future in replayed][-1:] == [True]

    assert house.published(referral) == ["upstream 1", "upstream 2"]


def test_a_decider_that_raises_parks_the_record_and_a_replay_after_the_mend_goes_on_in_order(
    house: House, referral: str, eventually: Eventually
) -> None:
    """A bug is never skipped."""
    house.decider.broken = True
    house.hear(house.record(referral, 1)).result(60)
    house.hear(house.record(referral, 2)).result(60)
    assert [entry.kind for entry in house.parked.entries()] == [
        ParkedClass.PARKED_CLASS_BUG,
        ParkedClass.PARKED_CLASS_BEHIND,
    ]

    house.decider.broken = False
    assert [future.result(60) for future in house.engine.replay()] == [True, True]

    assert house.published(referral) == ["upstream 1", "upstream 2"]
    eventually(lambda: len(house.publisher.on("parked.v1")) == 4)
    assert house.parked.entries() == []


def test_a_replay_that_does_not_help_leaves_the_record_parked(house: House, referral: str) -> None:
    """And says so."""
    house.decider.broken = True
    house.hear(house.record(referral, 1)).result(60)

    assert [future.result(60) for future in house.engine.replay()] == [False]

    assert len(house.parked.entries()) == 1


def test_records_wait_for_a_store_and_a_broker_that_are_away(house: House, referral: str) -> None:
    """Waited out, never parked and never skipped, at each point in turn."""
    for number, point in enumerate(("load", "save", "lost_answer"), start=1):
        house.store.failing[point] = 2
        house.publisher.refuse = 1
        house.hear(house.record(referral, number)).result(60)

    assert house.published(referral) == ["upstream 1", "upstream 2", "upstream 3"]
    assert house.parked.entries() == []


def test_a_full_turn_costs_one_read_one_save_and_one_wait(referral: str) -> None:
    """Five hundred referrals, each known to the store already."""
    house = House()
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(500)]
    done = house.hear(*[house.record(id_, 1) for id_ in ids])
    house.engine.start()
    done.result(60)
    before = house.engine.counts.copy()

    house.hear(*[house.record(id_, 2) for id_ in ids]).result(60)

    cost = house.engine.counts - before
    assert [cost[name] for name in ("turns", "loads", "saves", "publications")] == [1, 1, 1, 1]
    house.stop()
