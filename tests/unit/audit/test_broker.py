"""Reading between offsets from a broker that has just started."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import UnknownTopicOrPartitionError

from services.audit import broker

PLACE = TopicPartition("referrals.intake.v1", 0)


class Starting:
    """A consumer of a broker whose leader knows the partition only when asked again."""

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
