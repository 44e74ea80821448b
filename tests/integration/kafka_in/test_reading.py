"""What KafkaIn promises while nothing fails: order, chunks, commits that wait, pause, stop. On a real broker."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest
from kafka import KafkaProducer

from services.chassis.kafka_in import Chunk, Held, Record
from services.chassis.kafka_in.consumer import KafkaIn
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.chassis.watchdog import Watchdog
from tests.integration.kafka_in.support import commits_of, produce, send
from tests.waiting import happens

pytestmark = pytest.mark.integration
log = logging.getLogger(__name__)

RECORDS = 200_000


def answered(held: Held = ()) -> Future[Held]:
    future: Future[Held] = Future()
    future.set_result(held)
    return future


@contextmanager
def reading(
    kafka: KafkaAccess, topic: str | list[str], group: str, handle: Callable[[Chunk], Future[Held]], **options: Any
) -> Iterator[KafkaIn]:
    topics = [topic] if isinstance(topic, str) else topic
    reader = KafkaIn(kafka, topics, group, handle, on_fatal=lambda error: pytest.fail(repr(error)), **options)
    reader.start()
    try:
        yield reader
    finally:
        assert reader.stop()


def test_200_000_records_arrive_once_in_order_in_few_chunks_and_cheaply(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic()
    sent = produce(kafka, topic, RECORDS)
    offsets: dict[int, list[int]] = defaultdict(list)
    chunks: list[int] = []

    def handle(chunk: Chunk) -> Future[Held]:
        for record in chunk.records:
            offsets[record.partition].append(record.offset)
        chunks.append(len(chunk))
        return answered()

    started = time.process_time()
    with reading(kafka, topic, group, handle), commits_of(kafka, topic, group) as commits:
        happens("all records handled", lambda: sum(chunks) >= RECORDS, 90)
        spent = time.process_time() - started
        happens("all offsets committed", lambda: commits.total() == RECORDS)

    log.warning("kafka_in events=%d cpu_seconds=%.2f a_cpu_second=%.0f", RECORDS, spent, RECORDS / spent)
    assert {(partition, offset) for partition, each in offsets.items() for offset in each} == sent
    assert all(each == sorted(set(each)) for each in offsets.values())
    assert max(chunks) <= 2_000
    assert len(chunks) < RECORDS / 500
    assert RECORDS / spent > 32_000  # ten times what a stock agent was measured at


def test_a_record_arrives_whole(kafka: KafkaAccess, make_topic: Callable[..., str], group: str) -> None:
    topic = make_topic(partitions=1)
    producer = KafkaProducer(**kafka.producer("test-out"))
    producer.send(topic, key=b"k", value=b"v", headers=[("ce_id", b"1")], timestamp_ms=1_700_000_000_123).get(30)
    producer.send(topic, key=b"k", value=None).get(30)
    producer.send(topic, key=None, value=b"v").get(30)
    producer.close()
    records: list[Record] = []

    def handle(chunk: Chunk) -> Future[Held]:
        records.extend(chunk.records)
        return answered()

    with reading(kafka, topic, group, handle):
        happens("the records", lambda: len(records) == 3)

    assert records[0] == Record(topic, 0, 0, 1_700_000_000_123, b"k", b"v", (("ce_id", b"1"),))
    assert [(record.key, record.value, record.headers) for record in records[1:]] == [
        (b"k", None, ()),
        (None, b"v", ()),
    ]


def test_commits_wait_for_the_engine_and_at_most_two_chunks_are_in_flight(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(partitions=1)
    send(kafka, topic, *(b"%d" % number for number in range(40)))
    waiting: list[tuple[Chunk, Future[Held]]] = []

    def handle(chunk: Chunk) -> Future[Held]:
        waiting.append((chunk, Future()))
        return waiting[-1][1]

    with (
        reading(kafka, topic, group, handle, max_records=10) as reader,
        commits_of(kafka, topic, group, 1) as commits,
    ):
        happens("two chunks in flight", lambda: len(waiting) == 2)
        waiting[1][1].set_result(())  # the second first
        happens("a third chunk", lambda: len(waiting) == 3)
        time.sleep(2.5)  # two commit intervals: the point is that nothing happens

        assert len(waiting) == 3
        assert commits() == {}

        waiting[0][1].set_result(())
        happens("the commit of two chunks", lambda: commits() == {0: 20})
        assert reader.lag() == 20
        waiting[2][1].set_result(())
        happens("the last chunk", lambda: len(waiting) == 4)
        waiting[3][1].set_result(())
        happens("all done", lambda: reader.unfinished == 0)

    assert [record.offset for chunk, _ in waiting for record in chunk.records] == list(range(40))


def test_of_a_topic_that_nobody_waits_for_what_comes_during_a_lull_is_taken_together_and_others_are_not_delayed(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    unhurried, awaited = make_topic("unhurried", partitions=1), make_topic("awaited", partitions=1)
    chunks: list[Chunk] = []

    def handle(chunk: Chunk) -> Future[Held]:
        chunks.append(chunk)
        return answered()

    def values(topic: str) -> list[bytes | None]:
        return [record.value for chunk in chunks for record in chunk.records if record.topic == topic]

    numbers = [b"%d" % number for number in range(30)]
    with reading(kafka, [unhurried, awaited], group, handle, unhurried=[unhurried], lull=3.0):
        send(kafka, unhurried, b"first")
        happens("the first arrived", lambda: values(unhurried) == [b"first"])
        send(kafka, unhurried, *numbers)
        send(kafka, awaited, b"at once")
        happens("the other topic's arrived", lambda: values(awaited) == [b"at once"])
        happens("all arrived", lambda: values(unhurried) == [b"first", *numbers])

    assert len(chunks) < 10  # each alone, without it


def test_a_held_record_is_not_committed_past_until_it_is_released(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(partitions=1)
    send(kafka, topic, b"before", b"gap", b"after", b"last")
    seen: list[Record] = []

    def handle(chunk: Chunk) -> Future[Held]:
        seen.extend(chunk.records)
        return answered([record.position for record in chunk.records if record.value == b"gap"])

    with reading(kafka, topic, group, handle) as reader, commits_of(kafka, topic, group, 1) as commits:
        happens("the commit up to the held record", lambda: len(seen) == 4 and commits() == {0: 1})
        assert reader.unfinished == 1

        reader.release(topic, 0, 1)
        happens("the commit past the released record", lambda: commits() == {0: 4})


def test_while_paused_nothing_arrives_and_the_watchdog_is_content(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(partitions=1)
    seen: list[bytes | None] = []

    def handle(chunk: Chunk) -> Future[Held]:
        seen.extend(record.value for record in chunk.records)
        return answered()

    with reading(kafka, topic, group, handle) as reader:
        watchdog = Watchdog(kafka, group, reader)
        happens("the assignment", lambda: reader.assigned == {(topic, 0)})
        send(kafka, topic, b"first")
        happens("the first record", lambda: seen == [b"first"] and reader.last_commit_time)
        assert not any(reading.behind for reading in (watchdog.look().readings or {}).values())

        reader.pause()
        send(kafka, topic, b"second")
        time.sleep(2.0)  # longer than a fetch takes: the point is that nothing happens
        assert len(seen) <= 2  # one fetch may have been under way
        assert watchdog.look().paused
        send(kafka, topic, b"third")
        time.sleep(2.0)
        assert b"third" not in seen

        reader.resume()
        happens("what came during the pause", lambda: seen == [b"first", b"second", b"third"])


def test_assigned_partitions_are_told_before_their_records(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(partitions=2)
    send(kafka, topic, b"early")
    told: list[object] = []

    def handle(chunk: Chunk) -> Future[Held]:
        told.append("record")
        return answered()

    with reading(kafka, topic, group, handle, on_assigned=told.append):
        happens("the record", lambda: "record" in told)

    assert told == [frozenset({(topic, 0), (topic, 1)}), "record"]


def test_stop_lets_the_chunk_in_flight_finish_and_commits_it(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str
) -> None:
    topic = make_topic(partitions=1)
    send(kafka, topic, b"slow")
    begun = threading.Event()

    def handle(chunk: Chunk) -> Future[Held]:
        future: Future[Held] = Future()
        threading.Timer(1.5, future.set_result, [()]).start()
        begun.set()
        return future

    with reading(kafka, topic, group, handle):
        assert begun.wait(30)

    with commits_of(kafka, topic, group, 1) as commits:
        assert commits() == {0: 1}


def test_a_broker_that_is_away_at_the_start_is_waited_for_and_stop_still_works(group: str) -> None:
    nobody = KafkaAccess("127.0.0.1:1", "reader", "invented", SASL_PLAINTEXT)
    failures: list[BaseException] = []
    reader = KafkaIn(nobody, ["facts"], group, lambda _: answered(), on_fatal=failures.append)
    reader.start()
    time.sleep(2.5)  # longer than one attempt

    assert reader.stop()
    assert failures == []
