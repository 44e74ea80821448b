"""Reading between offsets: from a broker that has just started, and by a consumer that reads span after span."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import UnknownTopicOrPartitionError
from kafka.structs import OffsetAndMetadata

from services.audit import broker

PLACE = TopicPartition("referrals.intake.v1", 0)
OTHER = TopicPartition("referrals.intake.v1", 1)
RECORD = {"timestamp": 0, "key": b"", "value": b"", "headers": ()}


class Starting:
    """A consumer of a broker whose leader knows the partition only when asked again."""

    _cluster = SimpleNamespace(request_update=lambda: None)

    def __init__(self, asked_in_vain: int) -> None:
        self.in_vain = asked_in_vain

    def beginning_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        if self.in_vain:
            self.in_vain -= 1
            raise KeyError(PLACE)
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def assign(self, places: list[TopicPartition]) -> None: ...


class Reading:
    """A consumer of four records in each partition, whose memory of what is assigned and paused is kafka-python's."""

    END = 4
    _cluster = SimpleNamespace(request_update=lambda: None)

    def __init__(self) -> None:
        self._state = SubscriptionState()

    def beginning_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.END)

    def assign(self, places: list[TopicPartition]) -> None:
        if places:
            self._state.assign_from_user(places)
        else:
            self._state.unsubscribe()

    def pause(self, *places: TopicPartition) -> None:
        for place in places:
            self._state.pause(place)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._state.assignment[place].seek(OffsetAndMetadata(offset, "", -1))

    def position(self, place: TopicPartition) -> int:
        return int(self._state.assignment[place].position.offset)

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        found = {}
        for place in self._state.fetchable_partitions():
            offset = self.position(place)
            if offset < self.END:
                found[place] = [SimpleNamespace(**RECORD, topic=place.topic, partition=place.partition, offset=offset)]
                self.seek(place, offset + 1)
        return found


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "LEADERS_KNOW_SECONDS", (0.0,) * 3)


def test_a_leader_that_does_not_know_its_partition_yet_is_asked_again() -> None:
    consumer: Any = Starting(asked_in_vain=3)

    assert list(broker.records_between(consumer, {PLACE: (0, 5)})) == []


def test_one_that_never_knows_it_is_not_asked_for_ever() -> None:
    consumer: Any = Starting(asked_in_vain=1_000)

    with pytest.raises(UnknownTopicOrPartitionError):
        list(broker.records_between(consumer, {PLACE: (0, 5)}))


def test_a_partition_whose_span_was_read_to_its_end_is_read_again_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer: Any = Reading()
    turns = count(step=10)
    monkeypatch.setattr(broker, "time", SimpleNamespace(monotonic=lambda: next(turns)))

    first = list(broker.records_between(consumer, {PLACE: (0, 2), OTHER: (0, 1)}))
    second = list(broker.records_between(consumer, {PLACE: (2, 4), OTHER: (1, 3)}))

    assert sorted((record.partition, record.offset) for record in first) == [(0, 0), (0, 1), (1, 0)]
    assert sorted((record.partition, record.offset) for record in second) == [(0, 2), (0, 3), (1, 1), (1, 2)]
