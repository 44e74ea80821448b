"""On the real broker, services and partners may do what the table of topics says, and nothing else."""

import json
import socket
import time
from contextlib import suppress
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError

from services.cli.local import directory, partners, provision
from services.cli.local.stack import Stack
from services.topics import TOPICS
from tests.integration.local.conftest import DESK, SCHOOL, WATCH

pytestmark = pytest.mark.integration


def login_of(stack: Stack, partner: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(partners.login_file(stack.home, partner).read_text())
    return content


def send(login: dict[str, str], topic: str, value: bytes = b"x") -> None:
    producer = KafkaProducer(**login, acks="all", enable_idempotence=True, reconnect_backoff_max_ms=1000)
    try:
        producer.send(topic, value, key=b"k").get(10)
    finally:
        producer.close(timeout=5)


def read_one(login: dict[str, str], topic: str, group: str) -> bytes:
    consumer = KafkaConsumer(
        topic,
        **login,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        reconnect_backoff_max_ms=1000,
        consumer_timeout_ms=20000,
    )
    try:
        return bytes(next(iter(consumer)).value)
    finally:
        consumer.close()


def fetch(login: dict[str, str], topic: str) -> list[bytes]:
    """Ask each partition directly; refused, kafka-python raises or, for a topic it may not see, finds nothing."""
    consumer = KafkaConsumer(**login, enable_auto_commit=False, allow_auto_create_topics=False)
    partitions = [TopicPartition(topic, number) for number in range(6)]
    found: list[bytes] = []
    try:
        consumer.assign(partitions)
        for partition in partitions:
            consumer.seek(partition, 0)
        deadline = time.monotonic() + 3
        with suppress(TopicAuthorizationFailedError):
            while not found and time.monotonic() < deadline:
                for records in consumer.poll(timeout_ms=1000).values():
                    found += [record.value for record in records]
    finally:
        consumer.close()
    return found


def test_every_topic_can_be_written_by_its_writer_and_by_no_other_service(stack: Stack) -> None:
    for user in ("intake", "triage", "partner-routing", "audit"):
        login = stack.kafka_login(user)
        for topic in TOPICS:
            if topic.writer == user:
                send(login, topic.name)
        with pytest.raises(TopicAuthorizationFailedError):
            send(login, next(topic.name for topic in TOPICS if topic.writer != user))


def test_a_partner_reads_its_copies_and_answers(stack: Stack) -> None:
    access = login_of(stack, SCHOOL.id)
    send(stack.kafka_login("partner-routing"), access["topic"], b"copy")
    send(access["login"], access["replies_topic"], b"reply")

    assert read_one(access["login"], access["topic"], f"{access['group_prefix']}mine") == b"copy"
    assert read_one(stack.kafka_login("partner-routing"), access["replies_topic"], "partner-routing") == b"reply"


def test_a_partner_cannot_write_anywhere_but_its_replies(stack: Stack) -> None:
    access, other = login_of(stack, SCHOOL.id), login_of(stack, WATCH.id)

    for topic in (access["topic"], other["topic"], other["replies_topic"], "referrals.routing.v1"):
        with pytest.raises(TopicAuthorizationFailedError):
            send(access["login"], topic)


def test_a_partner_cannot_read_what_is_not_its_own(stack: Stack) -> None:
    access, other = login_of(stack, SCHOOL.id), login_of(stack, WATCH.id)

    send(stack.kafka_login("partner-routing"), access["topic"])
    assert fetch(access["login"], access["topic"]), "the way of asking must find what may be found"

    send(stack.kafka_login("partner-routing"), other["topic"])
    send(access["login"], access["replies_topic"])
    send(stack.kafka_login("triage"), "referrals.triage.v1")
    for topic in (other["topic"], access["replies_topic"], "referrals.triage.v1"):
        assert fetch(access["login"], topic) == []


def test_a_partner_cannot_use_another_group(stack: Stack) -> None:
    access, other = login_of(stack, SCHOOL.id), login_of(stack, WATCH.id)

    for group in ("partner-routing", f"{other['group_prefix']}mine", "partner-oak-school"):
        with pytest.raises(GroupAuthorizationFailedError):
            read_one(access["login"], access["topic"], group)


def test_a_partner_without_kafka_has_no_login(stack: Stack) -> None:
    assert not partners.login_file(stack.home, DESK.id).exists()
    with stack.admin() as client:
        assert not known_users(client) & {"partner-desk-only"}
        assert {"partner.desk-only.v1", "partner.desk-only.replies.v1"} <= set(client.list_topics())


def test_nobody_gets_in_without_a_password_on_any_port(stack: Stack) -> None:
    """The controller's port too: it could grant anything to anyone."""
    for name in ("kafka", "partners", "controller"):
        with pytest.raises(KafkaError):
            KafkaAdminClient(
                bootstrap_servers=stack.address(name),
                api_version_auto_timeout_ms=2000,
                bootstrap_timeout_ms=2000,
            )
    with socket.create_connection(("127.0.0.1", stack.access().ports["controller"]), timeout=5):
        pass


def test_adding_twice_changes_nothing(stack: Stack) -> None:
    before = login_of(stack, SCHOOL.id), directory.read(stack.home, "partner", SCHOOL.id)

    partners.add(stack, [SCHOOL])

    assert (login_of(stack, SCHOOL.id), directory.read(stack.home, "partner", SCHOOL.id)) == before


def test_ids_of_which_one_begins_with_the_other_are_refused(stack: Stack) -> None:
    with pytest.raises(ValueError, match="farm and farm-watch"):
        partners.add(stack, [partners.Partner("farm", "Farm", (), ())])

    assert "farm" not in directory.names(stack.home, "partner")


def test_twelve_partners_are_added_in_seconds(stack: Stack) -> None:
    many = [partners.Partner(f"partner{number}", f"Partner {number}", (), ()) for number in range(12)]

    began = time.monotonic()
    partners.add(stack, many)

    assert time.monotonic() - began < 15
    assert {partner.id for partner in many} <= set(directory.names(stack.home, "partner"))


def test_removal_ends_an_open_connection_within_a_minute(stack: Stack) -> None:
    access = login_of(stack, WATCH.id)
    producer = KafkaProducer(**access["login"], acks="all", reconnect_backoff_max_ms=1000, max_block_ms=5000)
    try:
        producer.send(access["replies_topic"], b"x").get(10)

        partners.remove(stack, WATCH.id)

        with pytest.raises(TopicAuthorizationFailedError):
            producer.send(access["replies_topic"], b"x").get(10)
        deadline = time.monotonic() + 60
        while producer.bootstrap_connected() and time.monotonic() < deadline:
            time.sleep(0.5)
        with pytest.raises(KafkaError):
            send(access["login"], access["replies_topic"])
    finally:
        producer.close(timeout=5)
    assert WATCH.id not in directory.names(stack.home, "partner")
    with stack.admin() as client:
        assert "partner-farm-watch" not in known_users(client)
        assert {access["topic"], access["replies_topic"]} <= set(client.list_topics())
        assert not [acl for acl in provision.current_acls(client) if acl.principal == "User:partner-farm-watch"]


def known_users(client: KafkaAdminClient) -> set[str]:
    return {user for user, found in client.describe_user_scram_credentials().items() if found["credential_infos"]}
