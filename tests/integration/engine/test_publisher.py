"""The publisher on a real broker: where records lie, in which order, and what it says when the broker is away."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from services.chassis.engine import sessions
from services.chassis.engine.away import Away
from services.chassis.engine.publisher import OwnPublisher, SharedPublisher
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.records import OutRecord
from services.cli.local.stack import Stack
from tests.integration.conftest import MakeTopic
from tests.publishing import publish
from tests.waiting import happens

pytestmark = pytest.mark.integration

WITHIN = 10.0
EitherPublisher = OwnPublisher | SharedPublisher
PARTITIONS = 6


@pytest.fixture
def publisher(request: pytest.FixtureRequest, kafka: KafkaAccess) -> Iterator[EitherPublisher]:
    """The engine's, or, where a test says so, that of many threads."""

    def make() -> AIOKafkaProducer:
        return AIOKafkaProducer(**kafka.batch_producer("publisher-test"))

    made: EitherPublisher = getattr(request, "param", OwnPublisher)(make)
    yield made
    made.close()


OF_MANY_THREADS = pytest.mark.parametrize("publisher", [SharedPublisher], indirect=True, ids=["of many threads"])


def record(topic: str, key: str, value: bytes) -> OutRecord:
    """With two headers, one of them not empty of meaning."""
    return OutRecord(topic, key.encode(), value, [("ce_id", value[:8]), ("ce_type", b"test")])


def lying_on(kafka: KafkaAccess, topic: str) -> list[tuple[int, str, bytes, list[tuple[str, bytes]]]]:
    """Partition, key, value and headers of every record, each partition's in order."""
    consumer = KafkaConsumer(**kafka.consumer("publisher-test-reader"))
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    found = []
    while any(consumer.position(place) < ends[place] for place in places):
        for records in consumer.poll(timeout_ms=500).values():
            found += [(one.partition, one.key.decode(), one.value, list(one.headers)) for one in records]
    consumer.close()
    return found


def test_records_lie_where_kafka_python_puts_them_with_their_headers(
    publisher: EitherPublisher, kafka: KafkaAccess, make_topic: MakeTopic
) -> None:
    ours, theirs = make_topic("ours"), make_topic("theirs")
    keys = [str(uuid.uuid4()) for _ in range(200)] + ["short", "a key that is longer than a referral id is"]
    publish(publisher, [record(ours, key, key.encode()) for key in keys], WITHIN)
    other = KafkaProducer(**kafka.producer("publisher-test-other"))
    for _, key, value, headers in [record(theirs, key, key.encode()) for key in keys]:
        other.send(theirs, key=key, value=value, headers=headers)
    other.close()

    assert sorted(lying_on(kafka, ours)) == sorted(lying_on(kafka, theirs))


def test_each_key_keeps_its_order_over_many_batches_and_calls(
    publisher: EitherPublisher, kafka: KafkaAccess, make_topic: MakeTopic
) -> None:
    """Four calls of some 1.6 MB each: every partition's share needs more than one batch."""
    topic = make_topic("order")
    keys = [str(uuid.uuid4()) for _ in range(40)]
    sent = [record(topic, keys[number % 40], b"%06d" % number + bytes(1_000)) for number in range(6_400)]
    for first in range(0, len(sent), 1_600):
        publish(publisher, sent[first : first + 1_600], WITHIN)

    found: dict[str, list[bytes]] = {}
    for _, key, value, _ in lying_on(kafka, topic):
        found.setdefault(key, []).append(value)
    assert found == {key: [one.value for one in sent if one.key.decode() == key] for key in keys}


def test_a_record_that_fits_no_batch_goes_alone_and_one_that_the_broker_refuses_is_away(
    publisher: EitherPublisher, kafka: KafkaAccess, make_topic: MakeTopic
) -> None:
    topic = make_topic("sizes")
    publish(publisher, [record(topic, "a", b"before"), record(topic, "a", bytes(900_000))], WITHIN)

    with pytest.raises(Away):
        publish(publisher, [record(topic, "a", bytes(2_000_000))], WITHIN)
    publish(publisher, [record(topic, "a", b"after")], WITHIN)

    assert [len(value) for _, _, value, _ in lying_on(kafka, topic)] == [6, 900_000, 5]


@OF_MANY_THREADS
def test_calls_from_many_threads_are_each_acknowledged(
    publisher: EitherPublisher, kafka: KafkaAccess, make_topic: MakeTopic
) -> None:
    """As access facts are, from the threads of gRPC's handlers."""
    topic = make_topic("threads")

    def work(name: int) -> None:
        for number in range(20):
            publish(publisher, [record(topic, f"{name}", f"{name}-{number:02d}".encode())], WITHIN)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = [value.decode() for _, _, value, _ in lying_on(kafka, topic)]
    for name in range(8):
        assert [one for one in found if one.startswith(f"{name}-")] == [f"{name}-{number:02d}" for number in range(20)]


@pytest.mark.parametrize(
    ("publisher", "known"),
    [(OwnPublisher, True), (OwnPublisher, False), (SharedPublisher, True)],
    indirect=["publisher"],
    ids=["connected", "not yet connected", "of many threads"],
)
def test_a_broker_that_is_away_is_told_in_time_and_nothing_late_comes_after_what_is_sent_again(
    publisher: EitherPublisher,
    kafka: KafkaAccess,
    make_topic: MakeTopic,
    broker: Stack,
    known: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was under way is cut off: once it is sent anew, no older producer may still send it."""
    monkeypatch.setattr(sessions, "PATIENCE", 1.0)  # else a broker that is soon back takes it from the older one too
    topic = make_topic("away")
    sent = [record(topic, "a", b"%03d" % number) for number in range(100)]
    if known:
        publish(publisher, sent[:10], WITHIN)
    broker.hold("kafka")
    asked = time.monotonic()
    with pytest.raises(Away):
        publish(publisher, sent[10:], 2.0)
    waited = time.monotonic() - asked
    broker.start(["kafka"])
    _until_sent(lambda: publish(publisher, sent[10:] if known else sent, 2.0))
    publish(publisher, [record(topic, "a", b"last")], WITHIN)

    assert waited < 3.0
    assert [value for _, _, value, _ in lying_on(kafka, topic)] == [*(one.value for one in sent), b"last"]


def test_what_is_begun_reaches_the_broker_while_nobody_waits_for_it(
    publisher: OwnPublisher, kafka: KafkaAccess, make_topic: MakeTopic
) -> None:
    """As while the next turn is saved."""
    topic = make_topic("begun")
    publish(publisher, [record(topic, key, b"before") for key in "abcdef"], WITHIN)

    sending = publisher.begin([record(topic, key, b"begun") for key in "abcdef"], WITHIN)

    happens("it is there", lambda: len(lying_on(kafka, topic)) == 12)
    assert sending.wait()


@OF_MANY_THREADS
def test_the_threads_of_producers_that_met_an_error_end(
    publisher: EitherPublisher, make_topic: MakeTopic, broker: Stack
) -> None:
    publish(publisher, [record(make_topic("threads"), "a", b"1")], WITHIN)
    before = _publishing()
    broker.freeze("kafka")
    for _ in range(3):
        with pytest.raises(Away):
            publish(publisher, [record("anything", "a", b"2")], 0.5)
    broker.thaw("kafka")

    deadline = time.monotonic() + 20
    while _publishing() >= before and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert _publishing() < before


def _publishing() -> int:
    return sum(thread.name == "publisher" for thread in threading.enumerate())


def _until_sent(send: Callable[[], None]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            send()
        except Away:
            if time.monotonic() > deadline:
                raise
        else:
            return
