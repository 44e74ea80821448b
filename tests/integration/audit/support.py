"""Producing facts to every topic, asking audit, and comparing its index with the broker."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import grpc
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pymongo.database import Database
from pymongo.errors import PyMongoError

from safeguarding.v1 import audit_pb2_grpc, common_pb2, intake_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from services import topics
from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.note import Verifier
from services.audit.log.reader import LogReader
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.cli.local import authority, directory
from services.cli.local.stack import Stack
from tests.waiting import happens


class Auditor:
    """A caller with a certificate and an entry in the directory."""

    def __init__(self, stack: Stack, role: str, name: str) -> None:
        identity = authority.ensure(stack.home).issue(role, name)
        directory.write(stack.home, role, name, {"name": "Someone", "kind": "test"})
        files = TlsFiles(identity.certificate, identity.key, identity.authority)
        self._channel: grpc.Channel = channel(stack.address("audit"), files)
        self.stub = audit_pb2_grpc.AuditStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._channel.close()


def login(stack: Stack, user: str) -> KafkaAccess:
    """A way in as a service, or as the administrator who may write anywhere."""
    found = stack.kafka_login(user)
    name, password = found["sasl_plain_username"], found["sasl_plain_password"]
    return KafkaAccess(found["bootstrap_servers"], name, password, SASL_PLAINTEXT)


def a_referral() -> str:
    return str(uuid.uuid4())


def raised(referral_id: str, officer: str = "officer-1", later: int = 0) -> bytes:
    """The value of a fact of intake, so many seconds from now."""
    header = common_pb2.FactHeader(event_id=str(uuid.uuid4()), referral_id=referral_id, sequence=1, cause_id="test")
    header.actor.CopyFrom(common_pb2.Actor(role=ROLE_OFFICER, id=officer))
    header.occurred_at.FromSeconds(int(time.time()) + later)
    return intake_pb2.IntakeFact(header=header, raised=intake_pb2.Raised()).SerializeToString()


Sent = tuple[str, bytes, bytes]
"""Topic, key and value."""


def send(stack: Stack, records: Sequence[Sent]) -> None:
    """Return when the broker holds all."""
    producer = KafkaProducer(**login(stack, "admin").producer("test-out"))
    try:
        sent = [producer.send(topic, key=key, value=value) for topic, key, value in records]
        for future in sent:
            future.get(60)
    finally:
        producer.close()


def send_to(stack: Stack, place: TopicPartition, count: int) -> None:
    """So many records into one partition; return when the broker holds all."""
    producer = KafkaProducer(**login(stack, "admin").producer("test-out"))
    try:
        for _ in range(count):
            producer.send(place.topic, key=b"key", value=b"value", partition=place.partition).get(60)
    finally:
        producer.close()


def in_one_transaction(stack: Stack, place: TopicPartition, count: int) -> None:
    """The same in a transaction, whose end takes an offset that holds no record."""
    producer = KafkaProducer(**login(stack, "admin").producer("test-out"), transactional_id=uuid.uuid4().hex)
    try:
        producer.init_transactions()
        producer.begin_transaction()
        for _ in range(count):
            producer.send(place.topic, key=b"key", value=b"value", partition=place.partition)
        producer.commit_transaction()
    finally:
        producer.close()


def everywhere(count: int, *partner_ids: str) -> list[Sent]:
    """So many records, in turn on every topic that there is."""
    names = [topic.name for topic in topics.TOPICS]
    names += [topic.name for partner in partner_ids for topic in topics.partner_topics(partner)]
    made: list[Sent] = []
    for number in range(count):
        referral = a_referral()
        made.append((names[number % len(names)], referral.encode(), raised(referral)))
    return made


def on_the_broker(stack: Stack) -> dict[tuple[str, int], int]:
    """The end of every partition that audit may read."""
    consumer = KafkaConsumer(**login(stack, "audit").consumer("test-ends"))
    try:
        names = [name for name in consumer.topics() if not name.startswith("__")]
        places = [TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name)]
        return {(place.topic, place.partition): end for place, end in consumer.end_offsets(places).items()}
    finally:
        consumer.close(autocommit=False)


def wait_for_all(stack: Stack, index: Database[dict[str, Any]], seconds: float = 60.0) -> None:
    """Return when audit has reached the end of everything that lies on the broker now."""
    total = sum(on_the_broker(stack).values())

    def reached() -> bool:
        try:
            covered = index["log"].find_one({"_id": "covered"})
            return covered is not None and covered["size"] >= total
        except PyMongoError:  # the store is away for now
            return False

    happens(f"{total} entries", reached, seconds)


def readiness(stack: Stack) -> dict[str, bool]:
    """What audit says of its conditions; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{stack.address('audit.http')}/readyz", timeout=2) as answer:
            body = answer.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError:
        return {}
    conditions: dict[str, bool] = json.loads(body)["conditions"]
    return conditions


def verifier(stack: Stack) -> Verifier:
    """The key that verifies the stack's log."""
    return Verifier.parse((stack.home.audit / "log.vkey").read_text().strip())


def log_of(stack: Stack) -> LogReader:
    """The log as its checkpoint says now, read from its files."""
    folder = stack.home.audit / "log"
    checkpoint, _ = open_checkpoint((folder / "checkpoint").read_bytes(), verifier(stack))
    return LogReader(folder, checkpoint.tree.size)


def topic_ids(stack: Stack) -> dict[str, str]:
    """The id of each topic, as the broker's administrator is told."""
    with stack.admin() as admin:
        return {found["name"]: str(found["topic_id"]) for found in admin.describe_topics()}
