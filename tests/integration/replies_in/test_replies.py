"""Partners' replies on a real broker: topics found by pattern, at least once, and a broker that dies."""

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future

import pytest
from kafka import KafkaProducer

from services.chassis import kafka_headers
from services.chassis.kafka_in import Chunk, Held
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.chassis.replies_in import RepliesIn
from services.cli.local.stack import Stack
from tests.integration.kafka_in.support import commits_of, send
from tests.waiting import happens

pytestmark = pytest.mark.integration

MakeReplies = Callable[[str], str]


class Door:
    """An engine that keeps what it is given, and can be made to fail."""

    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.failing = threading.Event()

    def __call__(self, chunk: Chunk) -> Future[Held]:
        future: Future[Held] = Future()
        if self.failing.is_set():
            future.set_exception(RuntimeError("this chunk cannot be mended"))
        else:
            self.values.extend(record.value for record in chunk.records)
            future.set_result([record.position for record in chunk.records if record.value == b"held"])
        return future


@pytest.fixture
def area() -> str:
    """What this test's partners have in their names, and no other test's."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def make_replies(broker: Stack, area: str) -> MakeReplies:
    def make(partner: str) -> str:
        topic = f"partner.{partner}-{area}.replies.v1"
        with broker.admin() as admin:
            admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        return topic

    return make


def replies_of(
    kafka: KafkaAccess, group: str, area: str, door: Door, failures: list[BaseException] | None = None
) -> RepliesIn:
    def fatal(error: BaseException) -> None:
        if failures is None:
            pytest.fail(repr(error))
        failures.append(error)

    pattern = rf"^partner\..*-{area}\.replies\.v1$"
    return RepliesIn(kafka, group, door, pattern=pattern, on_fatal=fatal)


def test_a_partner_added_later_is_heard_within_ten_seconds(
    kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    door = Door()
    send(kafka, make_replies("school"), b"from the first")
    replies = replies_of(kafka, group, area, door)
    replies.start()
    happens("the first partner's reply", lambda: door.values == [b"from the first"])

    send(kafka, make_replies("watch"), b"from the second")
    added = time.monotonic()
    happens("the second partner's reply", lambda: b"from the second" in door.values)

    assert time.monotonic() - added < 10
    assert replies.stop()


def test_what_was_done_is_committed_and_not_heard_again(
    kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    topic = make_replies("school")
    send(kafka, topic, b"one", b"two")
    for expected in ([b"one", b"two"], [b"three"]):
        door = Door()
        replies = replies_of(kafka, group, area, door)
        replies.start()
        happens(f"{expected}", lambda door=door, expected=expected: door.values == expected)  # type: ignore[misc]
        assert replies.stop()
        send(kafka, topic, b"three")


def test_a_held_reply_is_committed_past_only_when_released(
    kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    topic, door = make_replies("school"), Door()
    send(kafka, topic, b"one", b"held", b"three")
    replies = replies_of(kafka, group, area, door)
    replies.start()

    with commits_of(kafka, topic, group, 1) as commits:
        happens("the commit up to it", lambda: len(door.values) == 3 and commits() == {0: 1})
        replies.release(topic, 0, 1)
        happens("the commit past it", lambda: commits() == {0: 3})
    assert replies.stop()


def test_a_reply_that_cannot_be_handled_is_told_and_not_committed(
    kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    topic, door, failures = make_replies("school"), Door(), list[BaseException]()
    send(kafka, topic, b"one")
    door.failing.set()
    broken = replies_of(kafka, group, area, door, failures)
    broken.start()
    happens("the failure", lambda: failures)
    with commits_of(kafka, topic, group, 1) as commits:
        assert commits() == {}

    door.failing.clear()
    mended = replies_of(kafka, group, area, door)
    mended.start()
    happens("the reply again", lambda: door.values == [b"one"])
    assert mended.stop()


class NoUtf8(str):
    """A header's name as a client that means harm would encode it."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


def test_a_header_name_that_is_no_text_stops_nothing(
    kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    kafka_headers.tolerate()
    topic, door = make_replies("school"), Door()
    with KafkaProducer(**kafka.producer("test-harm")) as producer:
        producer.send(topic, b"harm", headers=[(NoUtf8("x"), b"1")]).get(30)
        producer.send(topic, b"right", headers=[("right", b"1")]).get(30)
    replies = replies_of(kafka, group, area, door)
    replies.start()

    happens("both replies", lambda: door.values == [b"harm", b"right"])
    assert replies.stop()


def test_while_paused_no_reply_is_heard(kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str) -> None:
    topic, door = make_replies("school"), Door()
    replies = replies_of(kafka, group, area, door)
    replies.pause()
    replies.start()
    send(kafka, topic, b"one")
    time.sleep(1.5)  # some polls long: the point is that nothing happens
    assert door.values == []

    replies.resume()
    happens("the reply", lambda: door.values == [b"one"])
    assert replies.stop()


def test_after_a_killed_broker_replies_are_heard_again(
    broker: Stack, kafka: KafkaAccess, make_replies: MakeReplies, group: str, area: str
) -> None:
    topic, door = make_replies("school"), Door()
    send(kafka, topic, b"before")
    replies = replies_of(kafka, group, area, door)
    replies.start()
    happens("the first reply", lambda: door.values == [b"before"])

    broker.kill("kafka")
    broker.wait_ready(["kafka"])
    send(kafka, topic, b"after")
    happens("the reply after the kill", lambda: b"after" in door.values)

    assert replies.stop()


def test_a_broker_that_is_away_at_the_start_is_waited_for_and_stop_still_works(group: str, area: str) -> None:
    nobody = KafkaAccess("127.0.0.1:1", "reader", "invented", SASL_PLAINTEXT)
    replies = replies_of(nobody, group, area, Door())
    replies.start()
    time.sleep(0.5)

    assert replies.stop(10)
