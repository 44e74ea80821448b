"""Partners: each reads its own topic or inbox with its own keys, and does its part of every leg."""

from __future__ import annotations

import threading
import uuid
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from safeguarding.v1 import partner_pb2, routing_pb2, routing_pb2_grpc
from safeguarding.v1.concern_pb2 import Narrative
from safeguarding.v1.partner_pb2 import OUTCOME_SUPPORTED, Copy, PartnerRecord, Reply
from safeguarding.v1.routing_pb2 import LegState
from services.chassis.kafka_settings import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS
from services.chassis.sealing import copy_info, open_with, reply_info, seal_to
from services.cli.local import home as files
from services.cli.local import partners
from services.cli.local.stack import Stack
from tests.chaos.clients import CALL_SECONDS, REPEAT, Channels, Who
from tests.chaos.headers import NoText
from tests.chaos.ledger import Ledger
from tests.chaos.pulse import Pulse

POLL_MS = 300
LOOK_EVERY = 2.0
DESKS = 4
"""People who work at one inbox at the same time."""
JOIN_MS = 30_000
"""How long a group waits for consumers that have not joined anew. By itself kafka-python says five minutes."""
AGAIN = 0.3
SEND_SECONDS = 15.0
ASK_EVERY = 5
"""Of the legs, one of so many is asked about."""
QUESTION = "When is somebody at home?"
REPORT = "What was done, for which need, and how it stands now."
REPLIES = uuid.UUID("6f3c3f9a-5c7e-5f0e-8a43-5c8f8ce2d7d1")
"""Namespace of reply ids: the same copy is always answered by the same ids, so a repeat is taken once."""


@dataclass(frozen=True)
class Table:
    """What every player shares."""

    stack: Stack
    ledger: Ledger
    channels: Channels
    stopping: threading.Event


class KafkaPartner:
    """Reads its copies, decrypts them, keeps each once, answers on its replies topic, then commits."""

    def __init__(self, table: Table, partner: str) -> None:
        self._table = table
        self._id = partner
        self._file = files.read_json(partners.login_file(table.stack.home, partner))
        self._key = bytes.fromhex(partners.private_key_file(table.stack.home, partner).read_text())
        self._routing_key = bytes.fromhex(self._file["routing_public_key"])
        self._producer: KafkaProducer | None = None
        self._asked: dict[str, Copy] = {}
        """By leg, the offers that it has a question about: what it answers when it is answered."""

    def run(self) -> None:
        """Play until told to stop; a broker that is away is waited for."""
        while (consumer := self._connected()) is not None:
            try:
                try:
                    self._read(consumer)
                finally:
                    consumer.close(autocommit=False, timeout_ms=1_000)
            except KafkaError:
                # Away, or a reply or the commit failed. This consumer has passed what it read: only another one begins
                # again at what was committed, so that nothing stays unanswered.
                self._table.stopping.wait(AGAIN)
        if self._producer is not None:
            self._producer.close(timeout=1)

    def _read(self, consumer: KafkaConsumer) -> None:
        """Until told to stop, or until the consumer must be replaced. Raises KafkaError, likewise."""
        pulse = Pulse(consumer)
        while not self._table.stopping.is_set() and not pulse.missing():
            batches = consumer.poll(timeout_ms=POLL_MS)
            if batches:
                pulse.read()
                self._take([record for records in batches.values() for record in records])
                consumer.commit(timeout_ms=5_000)

    def _connected(self) -> KafkaConsumer | None:
        while not self._table.stopping.is_set():
            try:
                return KafkaConsumer(
                    self._file["topic"],
                    **self._file["login"],
                    group_id=f"{self._file['group_prefix']}chaos",
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    session_timeout_ms=SESSION_TIMEOUT_MS,  # the group waits so long for a consumer that was replaced
                    heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
                    max_poll_interval_ms=JOIN_MS,
                    reconnect_backoff_max_ms=1_000,
                    bootstrap_timeout_ms=3_000,
                )
            except KafkaError:
                self._table.stopping.wait(AGAIN)
        return None

    def _take(self, records: Sequence[Any]) -> None:
        replies: list[Reply] = []
        answered: list[str] = []
        for raw in records:
            record = PartnerRecord.FromString(raw.value)
            copy = Copy.FromString(
                open_with(self._key, copy_info(self._id, record.leg_id, record.event_id), record.sealed_copy)
            )
            named = {value for name, value in raw.headers if name == "ce_id"}
            if raw.key != copy.referral_id.encode() or named != {record.event_id.encode()}:
                self._table.ledger.trouble(f"{self._id} got event {record.event_id} under another name")
            self._table.ledger.read(self._id, record.event_id, raw.value, copy)
            if copy.HasField("offer") and asks(copy):
                self._asked[copy.leg_id] = copy
                self._table.ledger.asked(self._id, copy.referral_id, copy.leg_id)
                replies += question(copy, self._id, self._routing_key)
                continue
            offer = copy if copy.HasField("offer") else self._asked.get(copy.leg_id)
            if offer is not None and copy.WhichOneof("content") in ("offer", "answer"):
                replies += replies_to(offer, self._id, self._routing_key)
                answered.append(copy.referral_id)
        if self._send(replies):
            for referral_id in answered:
                self._table.ledger.answered(self._id, referral_id)

    def _send(self, replies: Sequence[Reply]) -> bool:
        """Send all, in order, until the broker has acknowledged all; False when told to stop before."""
        while not self._table.stopping.is_set():
            try:
                if self._producer is None:
                    self._producer = KafkaProducer(
                        **self._file["login"],
                        acks="all",
                        enable_idempotence=True,
                        reconnect_backoff_max_ms=1_000,
                        bootstrap_timeout_ms=3_000,
                        request_timeout_ms=5_000,
                        delivery_timeout_ms=10_000,
                        max_block_ms=5_000,
                    )
                sent = [
                    self._producer.send(
                        self._file["replies_topic"],
                        key=reply.referral_id.encode(),
                        value=reply.SerializeToString(),
                        headers=[(NoText("harm"), b"\xff")],  # of no use, and no harm to a reply that is right
                    )
                    for reply in replies
                ]
                for future in sent:
                    future.get(timeout=SEND_SECONDS)
            except KafkaError:
                broken, self._producer = self._producer, None
                if broken is not None:
                    with suppress(KafkaError):  # it is given up anyhow, and the next one sends all of it
                        broken.close(timeout=0)
                self._table.stopping.wait(AGAIN)
            else:
                return True
        return False


def replies_to(copy: Copy, partner_id: str, routing_key: bytes) -> list[Reply]:
    """What a partner answers to an offer: it takes the leg on, and supports the person, with a report where wanted."""
    steps: list[dict[str, Any]] = [
        {"accepted": partner_pb2.AcceptedReply()},
        {"outcome": partner_pb2.OutcomeReply(outcome=OUTCOME_SUPPORTED)},
    ]
    replies = [
        Reply(
            reply_id=str(uuid.uuid5(REPLIES, f"{copy.event_id}/{number}")),
            referral_id=copy.referral_id,
            leg_id=copy.leg_id,
            **step,
        )
        for number, step in enumerate(steps)
    ]
    if copy.offer.end_report:
        info = reply_info(partner_id, copy.leg_id, replies[-1].reply_id)
        replies[-1].sealed_note = seal_to(routing_key, info, Narrative(text=REPORT).SerializeToString())
    return replies


def asks(offer: Copy) -> bool:
    """Whether the partner asks the raiser before it does its work: then it gets a second copy. Always the same."""
    return zlib.crc32(offer.leg_id.encode()) % ASK_EVERY == 0


def question(copy: Copy, partner_id: str, routing_key: bytes) -> list[Reply]:
    """What it answers to the offer then: it takes the leg on, and asks."""
    accepted = replies_to(copy, partner_id, routing_key)[0]
    reply_id = str(uuid.uuid5(REPLIES, f"{copy.event_id}/asked"))
    words = Narrative(text=QUESTION).SerializeToString()
    asked = Reply(
        reply_id=reply_id,
        referral_id=copy.referral_id,
        leg_id=copy.leg_id,
        asked=partner_pb2.AskedReply(),
        sealed_note=seal_to(routing_key, reply_info(partner_id, copy.leg_id, reply_id), words),
    )
    return [accepted, asked]


class InboxPartner:
    """The same without Kafka: lists its open legs, opens each copy, and answers by gRPC."""

    def __init__(self, table: Table, partner: str) -> None:
        self._table = table
        self._id = partner
        channel = table.channels.to("partner-routing", Who("partner", partner))
        self._stub = routing_pb2_grpc.PartnerInboxStub(channel)
        self._opened: set[str] = set()
        self._reports: set[str] = set()
        """The legs that end only with a report."""

    def run(self) -> None:
        """Play until told to stop."""
        with ThreadPoolExecutor(DESKS) as desks:
            while not self._table.stopping.wait(LOOK_EVERY):
                try:
                    items = self._stub.List(routing_pb2.ListRequest(limit=100), timeout=CALL_SECONDS).items
                except grpc.RpcError as error:
                    self._note(error)
                else:
                    list(desks.map(self._try, items))

    def _try(self, item: routing_pb2.InboxItem) -> None:
        """Do one leg; what fails for now is listed again."""
        try:
            self._do(item)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
                self._table.ledger.too_late(self._id, item.referral_id)
            else:
                self._note(error)

    def _note(self, error: grpc.RpcError) -> None:
        if error.code() not in REPEAT:
            self._table.ledger.trouble(f"inbox of {self._id}: {error.code().name}")

    def _do(self, item: routing_pb2.InboxItem) -> None:
        where = {"referral_id": item.referral_id, "leg_id": item.leg_id}
        if item.leg_id not in self._opened:  # to open it again is our own doing, and no repeat
            copy = self._stub.OpenCopy(routing_pb2.OpenCopyRequest(**where), timeout=CALL_SECONDS).copy
            self._table.ledger.read(self._id, copy.event_id, copy.SerializeToString(deterministic=True), copy)
            self._opened.add(item.leg_id)
            if copy.offer.end_report:
                self._reports.add(item.leg_id)
        if item.state == LegState.LEG_STATE_OFFERED:
            accept = routing_pb2.InboxCommand(idempotency_key=f"accept-{item.leg_id}", **where)
            self._stub.Accept(routing_pb2.AcceptRequest(command=accept), timeout=CALL_SECONDS)
        note = REPORT if item.leg_id in self._reports else ""
        complete = routing_pb2.InboxCommand(idempotency_key=f"complete-{item.leg_id}", note=note, **where)
        request = routing_pb2.CompleteRequest(command=complete, outcome=OUTCOME_SUPPORTED)
        self._stub.Complete(request, timeout=CALL_SECONDS)
        self._table.ledger.answered(self._id, item.referral_id)
