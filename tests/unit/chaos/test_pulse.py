"""When a consumer must be replaced, and when it must be left alone."""

from dataclasses import dataclass, field

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from tests.chaos.pulse import LOOK_EVERY_SECONDS, SILENT_SECONDS, Pulse

PARTITION = TopicPartition("partner.oak-school.replies.v1", 0)


@dataclass
class Consumer:
    """What a pulse asks of a consumer."""

    now: float = 1_000.0
    heartbeat_ago: float = 1.0
    topics: set[str] = field(default_factory=lambda: {PARTITION.topic})
    assigned: set[TopicPartition] = field(default_factory=lambda: {PARTITION})
    at: int | None = 5
    end: int = 5
    away: bool = False

    def metrics(self) -> dict[str, dict[str, float]]:
        return {"consumer-coordinator-metrics": {"last-heartbeat-seconds-ago": self.heartbeat_ago}}

    def subscription(self) -> set[str]:
        return self.topics

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def end_offsets(self, partitions: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        if self.away:
            raise KafkaTimeoutError
        return dict.fromkeys(partitions, self.end)

    def position(self, partition: TopicPartition, timeout_ms: int) -> int | None:
        return self.at


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
def pulse(consumer: Consumer) -> Pulse:
    return Pulse(consumer, lambda: consumer.now)


def looks(consumer: Consumer, pulse: Pulse, count: int = 20) -> list[str | None]:
    """What each look says, the first as soon as there is one."""
    found = []
    consumer.now += SILENT_SECONDS
    for _ in range(count):
        consumer.now += LOOK_EVERY_SECONDS
        found.append(pulse.missing())
    return found


def test_an_idle_consumer_with_its_heartbeat_is_left_alone(consumer: Consumer, pulse: Pulse) -> None:
    assert looks(consumer, pulse) == [None] * 20


@pytest.mark.parametrize("assigned", [{PARTITION}, set()], ids=["with partitions", "before it was given any"])
def test_a_consumer_whose_heartbeats_ended_is_replaced(
    consumer: Consumer, pulse: Pulse, assigned: set[TopicPartition]
) -> None:
    consumer.heartbeat_ago, consumer.assigned = SILENT_SECONDS + 1, assigned

    assert looks(consumer, pulse, 1) == ["heartless"]


def test_a_consumer_is_given_time_to_join(consumer: Consumer, pulse: Pulse) -> None:
    consumer.heartbeat_ago = consumer.now  # none was ever sent
    consumer.now += SILENT_SECONDS - 1

    assert pulse.missing() is None


def test_a_consumer_without_a_topic_has_no_heartbeat_to_miss(consumer: Consumer, pulse: Pulse) -> None:
    consumer.topics, consumer.assigned, consumer.heartbeat_ago = set(), set(), consumer.now

    assert looks(consumer, pulse) == [None] * 20


@pytest.mark.parametrize("at", [4, None], ids=["at a position", "without a position"])
def test_a_consumer_that_does_not_read_what_is_there_is_replaced_at_the_second_look(
    consumer: Consumer, pulse: Pulse, at: int | None
) -> None:
    consumer.at = at

    assert looks(consumer, pulse, 2) == [None, "behind"]


def test_a_consumer_that_reads_is_left_alone_however_far_behind(consumer: Consumer, pulse: Pulse) -> None:
    consumer.end = 1_000_000
    consumer.now += SILENT_SECONDS
    for _ in range(20):
        consumer.now += LOOK_EVERY_SECONDS
        pulse.read()
        assert pulse.missing() is None


def test_a_broker_that_is_away_is_no_reason_to_replace_a_consumer(consumer: Consumer, pulse: Pulse) -> None:
    consumer.at, consumer.away = 0, True

    assert looks(consumer, pulse) == [None] * 20
