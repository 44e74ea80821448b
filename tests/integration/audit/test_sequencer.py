"""Every record of every partition is kept once, whatever ends or goes away while it is read."""

from typing import Any

import grpc
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo.database import Database

from safeguarding.v1.audit_pb2 import SearchRequest, TimelineEntry
from services import topics
from services.audit.entries import entry_of
from services.audit.index import FORM
from services.audit.log.leaf import Leaf, decode
from services.chassis import kafka_headers
from services.chassis.kafka_in.chunk import Position, Record
from services.cli.local import partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack
from tests.integration.audit.conftest import SCHOOL
from tests.integration.audit.support import (
    Auditor,
    a_referral,
    everywhere,
    log_of,
    login,
    on_the_broker,
    raised,
    readiness,
    send,
    topic_ids,
    wait_for_all,
)
from tests.waiting import happens

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

Index = Database[dict[str, Any]]


def records_on_the_broker(stack: Stack) -> list[Record]:
    """Everything that audit may read, read again by a consumer of the test's own."""
    ends = {TopicPartition(*place): end for place, end in on_the_broker(stack).items() if end}
    consumer = KafkaConsumer(**login(stack, "audit").consumer("test-again"))
    found: list[Record] = []
    try:
        consumer.assign(list(ends))
        consumer.seek_to_beginning()
        while any(consumer.position(place) < end for place, end in ends.items()):
            for raws in consumer.poll(timeout_ms=1_000).values():
                found += [
                    Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
                    for raw in raws
                ]
    finally:
        consumer.close(autocommit=False)
    return found


def assert_kept_once(stack: Stack, index: Index) -> None:
    """Every record of the broker is in the log once, and the index says of it what the record says."""
    expected = {record.position: entry_of(record) for record in records_on_the_broker(stack)}
    leaves = [decode(entry) for entry in log_of(stack).entries()]
    assert all(isinstance(leaf, Leaf) for leaf in leaves), "nothing was missing"
    placed = {place: Position(leaf.topic, leaf.partition, leaf.offset) for place, leaf in enumerate(leaves)}
    assert sorted(placed.values()) == sorted(expected)
    ids = topic_ids(stack)
    assert all(leaf.topic_id == ids[leaf.topic] for leaf in leaves)
    assert index["log"].find_one({"_id": "covered"}) == {"_id": "covered", "form": FORM, "size": len(leaves)}

    kept = {found["_id"]: TimelineEntry.FromString(found["entry"]) for found in index["entries"].find()}
    assert kept == {place: expected[position].timeline for place, position in placed.items()}
    under: dict[str, set[int]] = {}
    for place, position in placed.items():
        for referral in expected[position].referrals:
            under.setdefault(referral, set()).add(place)
    listed = {found["_id"]: found["entries"] for found in index["referrals"].find()}
    assert {referral: set(places) for referral, places in listed.items()} == under
    assert all(len(places) == len(set(places)) for places in listed.values()), "an entry is listed twice"


@pytest.fixture(autouse=True)
def _reads_all_headers() -> None:
    """The test's own consumer reads what audit reads."""
    kafka_headers.tolerate()


def wait_for_some(index: Index, count: int) -> None:
    happens(f"{count} entries", lambda: index["entries"].count_documents({}) >= count)


def test_every_record_of_every_partition_is_kept_once(audit: Stack, broker: Stack, index: Index) -> None:
    send(broker, everywhere(1_000, SCHOOL.id))

    wait_for_all(audit, index)

    assert_kept_once(audit, index)
    assert {topic for topic, _ in on_the_broker(audit)} >= {topic.name for topic in topics.TOPICS}


def test_what_cannot_be_read_is_kept_too(audit: Stack, broker: Stack, index: Index) -> None:
    send(broker, [(topics.INTAKE.name, a_referral().encode(), b"\xff\xff") for _ in range(3)])

    wait_for_all(audit, index)

    assert index["entries"].count_documents({"type": "unreadable", "topic": topics.INTAKE.name}) >= 3


class NoUtf8(str):
    """A header's name as a client that means harm would encode it."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:
        return b"\xff\xfe"


def test_a_header_name_that_is_no_text_stops_nothing(audit: Stack, broker: Stack, index: Index) -> None:
    _, replies = topics.partner_topics(SCHOOL.id)
    producer = KafkaProducer(**login(broker, "admin").producer("test-harm"))
    try:
        for _ in range(3):
            producer.send(replies.name, key=b"k", value=b"v", headers=[(NoUtf8("x"), b"1")], partition=0).get(30)
            producer.send(replies.name, key=b"k", value=b"v", headers=[("right", b"1")], partition=0).get(30)
    finally:
        producer.close()

    wait_for_all(audit, index, 30)

    assert all(readiness(audit).values())


def test_a_stop_by_sigterm_keeps_what_was_fetched_and_a_start_goes_on(
    audit: Stack, broker: Stack, index: Index
) -> None:
    """And what a crash kept from the index, though the log has it, is indexed then."""
    send(broker, everywhere(200, SCHOOL.id))
    audit.hold("audit")
    size = log_of(audit).size
    send(broker, everywhere(200, SCHOOL.id))
    index["log"].update_one({"_id": "covered"}, {"$set": {"size": size - 50}})
    index["entries"].delete_many({"_id": {"$gte": size - 50}})

    audit.start(["audit"])

    wait_for_all(audit, index)
    assert_kept_once(audit, index)
    assert '"service_stopped"' in audit.home.log("audit").read_text()


def test_a_new_partners_topics_are_read_within_10_seconds(audit: Stack, broker: Stack, index: Index) -> None:
    partner = f"elm-school-{a_referral()[:8]}"
    partners.add(broker, [Partner(partner, "Elm School", ("school",), ("northtown",))])
    copies, _ = topics.partner_topics(partner)
    referral = a_referral()
    send(broker, [(copies.name, referral.encode(), b"\xff")])

    happens("the new topic's record", lambda: index["referrals"].find_one({"_id": referral}), 10)


def answer(stack: Stack) -> grpc.StatusCode:
    """What an auditor is answered, who asks for anything."""
    with Auditor(stack, "auditor", "auditor-1") as auditor:
        try:
            auditor.stub.Search(SearchRequest(limit=1, reason="test"), timeout=10)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
    return grpc.StatusCode.OK


@pytest.mark.parametrize(("killed", "condition"), [("mongo", "store"), ("kafka", "broker")])
def test_kill_9_of_store_or_broker_while_it_reads_is_waited_for_and_skips_nothing(
    audit: Stack, broker: Stack, index: Index, killed: str, condition: str
) -> None:
    audit.hold("audit")
    send(broker, everywhere(2_000, SCHOOL.id))
    before = index["entries"].count_documents({})
    audit.start(["audit"])
    pid = audit.process("audit")
    wait_for_some(index, before + 1)

    audit.kill(killed)
    audit.hold(killed)
    happens(f"audit sees that {killed} is away", lambda: readiness(audit).get(condition) is False)
    assert answer(audit) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), "nothing is shown"
    audit.start([killed])

    send(broker, everywhere(500, SCHOOL.id))
    wait_for_all(audit, index)
    happens("audit is ready again", lambda: all(readiness(audit).values()))
    assert_kept_once(audit, index)
    assert audit.process("audit") == pid, "it waited, and did not end"


def test_a_referrals_records_on_many_topics_come_together(audit: Stack, broker: Stack, index: Index) -> None:
    referral = a_referral()
    names = [topics.INTAKE.name, topics.TRIAGE.name, *(topic.name for topic in topics.partner_topics(SCHOOL.id))]
    send(broker, [(name, referral.encode(), raised(referral)) for name in names])

    wait_for_all(audit, index)

    listed = index["referrals"].find_one({"_id": referral})
    assert listed is not None
    found = index["entries"].find({"_id": {"$in": listed["entries"]}})
    assert {entry["topic"] for entry in found} == set(names)
