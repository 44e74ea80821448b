"""Offsets are asked of whoever leads a partition now, and what has no leader is waited for as a broker is."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, UnknownTopicOrPartitionError

from services.chassis.spans import TIMES, spans_of

PLACE, OTHER = TopicPartition("referrals.intake.v1", 0), TopicPartition("referrals.intake.v1", 1)


class Moved:
    """A consumer whose partitions' leader has moved: like kafka-python it hears of that only where it is told to."""

    def __init__(self, led: Collection[TopicPartition], old: int = 0) -> None:
        """`old`: what it is told so often is from before the move."""
        self._led = led
        self.old = old
        self.asked = 0
        self._knows = False
        self._cluster = SimpleNamespace(request_update=self._update)

    def beginning_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._asked(places, 3)

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return self._asked(places, 9)

    def _update(self) -> None:
        self._knows, self.old = self.old == 0, self.old - 1

    def _asked(self, places: list[TopicPartition], offset: int) -> dict[TopicPartition, int]:
        self.asked += 1
        if not self._knows:
            raise KafkaTimeoutError
        return {place: offset for place in places if place in self._led}


def test_a_partition_whose_leader_has_moved_is_asked_of_the_new_one() -> None:
    assert spans_of(Moved([PLACE, OTHER]), [PLACE, OTHER]) == {PLACE: (3, 9), OTHER: (3, 9)}


def test_what_the_client_learned_just_before_the_move_is_learned_again_a_bounded_number_of_times() -> None:
    assert spans_of(Moved([PLACE], old=TIMES - 1), [PLACE]) == {PLACE: (3, 9)}

    never = Moved([PLACE], old=100)
    with pytest.raises(KafkaTimeoutError):
        spans_of(never, [PLACE])
    assert never.asked == TIMES


def test_a_partition_without_a_leader_is_an_error_of_the_brokers() -> None:
    with pytest.raises(UnknownTopicOrPartitionError, match="partition=1"):
        spans_of(Moved([PLACE]), [PLACE, OTHER])


def test_of_no_partitions_nobody_is_asked() -> None:
    assert spans_of(None, []) == {}
