"""The watcher follows the index, asks intake whose records were looked at, and sends each flag once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from safeguarding.v1.access_pb2 import ACCESS_KIND_FLAGGED, ANOMALY_WELL_KNOWN, AccessFact
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.intake_pb2 import WatchedReferral
from services.audit.describing import place_of
from services.audit.entries import Entry, entry_of
from services.audit.index import Placed
from services.audit.watching import AT_ONCE, Watcher, flag_of
from services.chassis.access import Access
from services.chassis.engine.away import Away
from services.chassis.kafka_in.chunk import Record
from services.chassis.records import OutRecord
from services.topics import access_topic
from tests.unit.audit.test_anomalies import OF, READER, REFERRAL, look, raised, routed


class Kept:
    """What stands for the index and its views: entries by their place."""

    def __init__(self, entries: Sequence[TimelineEntry]) -> None:
        self.entries = list(entries)
        self.done = 0
        self.reads = 0
        self.saved: Callable[[Sequence[Placed], int], None] = lambda placed, covered: None

    def watched(self) -> int:
        return self.done

    def covered_now(self) -> int:
        return len(self.entries)

    def remember_watched(self, size: int) -> None:
        self.done = size

    def at(self, places: Sequence[int]) -> list[TimelineEntry]:
        self.reads += 1
        return [self.entries[place] for place in places]

    def timeline(self, referral_id: str) -> list[TimelineEntry]:
        return [entry for entry in self.entries if entry.referral_id == referral_id]

    def first(self, event_key: str) -> TimelineEntry | None:
        return next((entry for entry in self.entries if entry.event_id == event_key), None)


def nobody(error: BaseException) -> None:
    raise error


def watcher(kept: Kept, sent: list[OutRecord], whose: Callable[[Sequence[str]], Sequence[WatchedReferral]]) -> Watcher:
    access = Access(lambda records, seconds: sent.extend(records), "audit", lambda: datetime.now(UTC))
    return Watcher(cast(Any, kept), cast(Any, kept), whose, access, nobody)


def is_well_known(referral_ids: Sequence[str]) -> Sequence[WatchedReferral]:
    return [OF[ANOMALY_WELL_KNOWN]] if REFERRAL in referral_ids else ()


def entry_again(record: OutRecord) -> TimelineEntry:
    """The record as audit's sequencer reads it again from its own topic."""
    return entry_of(Record(record.topic, 0, 0, 0, record.key, record.value, tuple(record.headers))).timeline


def test_a_look_without_a_task_becomes_a_fact_on_audits_own_topic() -> None:
    sent: list[OutRecord] = []
    kept = Kept([raised(), routed(), look()])

    assert watcher(kept, sent, is_well_known).step() == 3

    [record] = sent
    fact = AccessFact.FromString(record.value)
    assert record.topic == access_topic("audit").name
    assert (fact.kind, fact.anomaly, fact.reason) == (ACCESS_KIND_FLAGGED, ANOMALY_WELL_KNOWN, "well_known")
    assert (fact.looker.id, fact.header.cause_id, fact.header.referral_id) == (READER.id, look().event_id, REFERRAL)
    assert kept.done == 3


def test_the_timeline_says_whose_record_who_looked_and_at_which_look() -> None:
    sent: list[OutRecord] = []
    watcher(Kept([raised(), routed(), look()]), sent, is_well_known).step()

    said = entry_again(sent[0])

    assert (said.anomaly, said.looker.id, said.cause_id) == (ANOMALY_WELL_KNOWN, READER.id, look().event_id)
    assert said.actor.id == "audit"
    assert said.operation == 0
    assert place_of(said.topic).carries == "AccessFact"


def test_a_linked_reader_and_an_unwatched_record_leave_nothing() -> None:
    sent: list[OutRecord] = []

    watcher(Kept([raised(READER), routed(), look()]), sent, is_well_known).step()
    watcher(Kept([raised(), routed(), look()]), sent, lambda _: ()).step()

    assert sent == []


def test_where_intake_is_away_the_look_waits_and_is_flagged_later() -> None:
    sent: list[OutRecord] = []
    kept = Kept([raised(), routed(), look()])

    def away(_: Sequence[str]) -> Sequence[WatchedReferral]:
        raise Away("intake")

    with pytest.raises(Away):
        watcher(kept, sent, away).step()
    assert (sent, kept.done) == ([], 0)

    watcher(kept, sent, is_well_known).step()
    assert len(sent) == 1


def test_an_index_that_is_made_again_flags_nothing_twice_and_a_repeat_is_the_same_bytes() -> None:
    sent: list[OutRecord] = []
    kept = Kept([raised(), routed(), look()])
    watcher(kept, sent, is_well_known).step()
    kept.done = 0
    watcher(kept, sent, is_well_known).step()
    assert sent[0].value == sent[1].value, "sent again before it was read: a repeat, byte for byte"

    kept.entries.append(entry_again(sent[0]))
    kept.done = 0
    watcher(kept, sent, is_well_known).step()
    assert len(sent) == 2


def test_nothing_is_asked_where_nobody_looked() -> None:
    kept, asked = Kept([raised(), routed()]), []

    def asks(referral_ids: Sequence[str]) -> Sequence[WatchedReferral]:
        asked.append(referral_ids)
        return ()

    assert watcher(kept, [], asks).step() == 2
    assert watcher(kept, [], asks).step() == 0
    assert asked == []


def placed(entries: Sequence[TimelineEntry], first: int = 0) -> list[Placed]:
    return [(place, Entry(entry, (entry.referral_id,), 0)) for place, entry in enumerate(entries, first)]


def test_what_was_just_indexed_is_judged_without_the_store_and_none_of_it_twice() -> None:
    sent: list[OutRecord] = []
    before = [raised(), routed(), look()]
    kept = Kept(before)
    made = watcher(kept, sent, is_well_known)
    assert made.step() == 3
    kept.reads = 0

    # The index's `saved` hears of the next batch, twice where the store was away in between.
    kept.entries += (after := [look(40), routed(minute=40), look(41)])
    for _ in range(2):
        kept.saved(placed(after, first=3), 6)

    assert made.step() == 3
    assert made.step() == 0
    assert kept.reads == 0
    assert len(sent) == 3
    assert kept.done == 6


def test_what_was_indexed_before_this_process_began_is_read_from_the_store_first() -> None:
    sent: list[OutRecord] = []
    kept = Kept([raised(), routed(), look(30), look(31), look(32)])
    made = watcher(kept, sent, is_well_known)
    kept.saved(placed(kept.entries[3:], first=3), 5)

    while made.step():
        pass

    assert len({AccessFact.FromString(record.value).header.cause_id for record in sent}) == len(sent) == 3


def test_looks_that_came_in_great_number_are_judged_part_by_part() -> None:
    asked: list[int] = []

    def asks(referral_ids: Sequence[str]) -> Sequence[WatchedReferral]:
        asked.append(len(referral_ids))
        return ()

    many = [look(30) for _ in range(AT_ONCE * 2 + 1)]
    for number, each in enumerate(many):
        each.referral_id = f"00000000-0000-4000-8000-{number:012}"
    kept = Kept(many)
    made = watcher(kept, [], asks)
    kept.saved(placed(many), len(many))

    steps = [made.step() for _ in range(4)]

    assert steps == [AT_ONCE, AT_ONCE, 1, 0]
    assert asked == [AT_ONCE, AT_ONCE, 1]
    assert kept.done == len(many)


def test_a_look_has_one_flag_for_each_reason() -> None:
    ids = {flag_of(look(), anomaly).header.event_id for anomaly in (1, 2, 3)}  # type: ignore[arg-type]

    assert len(ids) == 3
