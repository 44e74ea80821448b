"""What an arm delivered is compared by topic, partition, key and value, and what may differ is left out by name."""

from __future__ import annotations

from collections import Counter

from kafka.consumer.fetcher import ConsumerRecord

from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.partitions import partition_of
from tests.performance.delivered import as_it_is, differs, forwarded, timeless, uneven
from tests.performance.ground import PARTITIONS, Loaded

KEY = b"a-key"
PLACE = partition_of(KEY, PARTITIONS)


def delivered(topic: str = "out", partition: int = PLACE, key: bytes = KEY, value: bytes = b"value") -> ConsumerRecord:
    blank = dict.fromkeys(ConsumerRecord._fields)
    return ConsumerRecord(**blank | {"topic": topic, "partition": partition, "key": key, "value": value})


def wrong(*records: ConsumerRecord) -> str:
    return differs(Counter([forwarded("out", Loaded(KEY, b"value"))]), Counter(map(as_it_is, records)))


def test_a_record_that_came_as_it_was_in_its_keys_partition_is_right() -> None:
    assert wrong(delivered()) == ""


def test_a_record_that_is_lost_repeated_altered_or_elsewhere_is_wrong() -> None:
    changed = "lost 1 records, and gave 1 that it should not"

    assert wrong() == "lost 1 records, and gave 0 that it should not"
    assert wrong(delivered(), delivered()) == "lost 0 records, and gave 1 that it should not"
    assert wrong(delivered(value=b"other")) == changed
    assert wrong(delivered(partition=(PLACE + 1) % PARTITIONS)) == changed
    assert wrong(delivered(topic="another")) == changed


ALIKE = {b"1": "theft", b"2": "theft", b"3": "theft", b"4": "harm"}
EACH = [(key, f"{key!r} {kind}", kind) for key in ALIKE for kind in ("received", "offered")]


def test_records_are_right_where_all_that_were_made_of_the_same_are_alike() -> None:
    assert uneven(ALIKE, EACH) == ""
    assert uneven(ALIKE, [*EACH, (b"4", "more", "closed")]) == "", "nothing else was made of the same as this"


def test_a_record_too_few_or_too_many_or_of_a_stranger_or_a_second_time_is_wrong() -> None:
    assert "1 referrals had others" in uneven(ALIKE, EACH[1:])
    assert "such as ('offered',) and not ('offered', 'received')" in uneven(ALIKE, EACH[1:])
    assert "1 referrals had others" in uneven(ALIKE, [*EACH, (b"1", "more", "closed")])
    assert "1 referrals had others" in uneven(ALIKE, EACH[2:]), "one of which nothing came"
    assert "gave 1 records of what nobody raised" in uneven(ALIKE, [*EACH, (b"5", "other", "offered")])
    assert "1 a second time" in uneven(ALIKE, [*EACH, EACH[0]])


def graded(clock: str, seconds: int) -> TriageFact:
    """A fact with a time of its own, and one within."""
    made = TriageFact()
    made.header.occurred_at.seconds = seconds
    made.graded.decide_by.clock = clock
    made.graded.decide_by.at.seconds = seconds
    return made


def test_facts_that_differ_by_their_times_alone_are_the_same_and_by_anything_else_are_not() -> None:
    assert timeless(graded("respond_red", 1)) == timeless(graded("respond_red", 2))
    assert timeless(graded("respond_red", 1)) != timeless(graded("respond_amber", 1))
