"""The whole stack with the area's partners, as tests use it: who calls, what they call, and what lies on topics."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from pymongo import MongoClient

from safeguarding.v1 import (
    audit_pb2_grpc,
    equality_pb2_grpc,
    insight_pb2_grpc,
    intake_pb2_grpc,
    parked_pb2_grpc,
    procedure_pb2_grpc,
    routing_pb2_grpc,
    triage_pb2_grpc,
)
from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import RaiseConcernRequest, RaiseConcernResponse
from services import topics
from services.cli.demo.people import partners_of
from services.cli.local import authority, directory, partners
from services.cli.local.environments import AREAS, default_area
from services.cli.local.stack import Stack

CALL_SECONDS = 15.0
HAPPENS_SECONDS = 20.0
UNSIGNED = "fenwick-housing"
"""A partner that would be chosen before all others for housing in Bristol, but whose agreement is not in force."""

STUBS: dict[str, tuple[Any, str]] = {
    "Intake": (intake_pb2_grpc.IntakeStub, "intake"),
    "Keys": (intake_pb2_grpc.KeysStub, "intake"),
    "Equality": (equality_pb2_grpc.EqualityStub, "intake"),
    "Watched": (intake_pb2_grpc.WatchedStub, "intake"),
    "Protection": (intake_pb2_grpc.ProtectionStub, "intake"),
    "Triage": (triage_pb2_grpc.TriageStub, "triage"),
    "Routing": (routing_pb2_grpc.RoutingStub, "partner-routing"),
    "Insight": (insight_pb2_grpc.InsightStub, "partner-routing"),
    "Procedures": (procedure_pb2_grpc.ProceduresStub, "partner-routing"),
    "PartnerInbox": (routing_pb2_grpc.PartnerInboxStub, "partner-routing"),
    "Audit": (audit_pb2_grpc.AuditStub, "audit"),
    "ParkedRecords": (parked_pb2_grpc.ParkedRecordsStub, "triage"),
}
"""Each gRPC service's stub, and the process that serves it (ParkedRecords: one of them)."""

T = TypeVar("T")


@dataclass(frozen=True)
class Who:
    """An identity with its certificate, in the directory unless it was taken out."""

    role: str
    id: str


@dataclass
class House:
    """Everything runs. Tests share it: each raises its own concerns, and none stops or restarts a service."""

    stack: Stack
    traces: Path
    channels: dict[tuple[str, Who], grpc.Channel] = field(default_factory=dict)

    # -- calling ---------------------------------------------------------------------------------------------------

    def who(self, role: str, name: str, **fields: str) -> Who:
        """An identity that the directory knows; made when there is none. A partner must be of the area."""
        if role not in ("partner", "service"):
            directory.write(self.stack.home, role, name, {"name": name, "kind": role, **fields})
        authority.ensure(self.stack.home).issue(role, name)
        return Who(role, name)

    def channel(self, process: str, who: Who) -> grpc.Channel:
        """A channel without retries, so that a test sees each answer."""
        if (process, who) not in self.channels:
            identity = authority.ensure(self.stack.home).issue(who.role, who.id)
            self.channels[process, who] = channel_of(
                self.stack.address(process), identity.authority, identity.key, identity.certificate
            )
        return self.channels[process, who]

    def stub(self, service: str, who: Who, process: str = "") -> Any:
        """A stub of a gRPC service, such as Intake; `process` where several serve it."""
        make, usual = STUBS[service]
        return make(self.channel(process or usual, who))

    @cached_property
    def officer(self) -> Who:
        """Somebody who raises concerns."""
        return self.who("officer", "pc-house", kind="police_officer")

    @cached_property
    def desk(self) -> Who:
        """Somebody at the triage desk."""
        return self.who("triage", "desk-house")

    @cached_property
    def operator(self) -> Who:
        """Somebody who keeps the system running."""
        return self.who("operator", "operator-house")

    def raise_concern(self, concern: Concern, who: Who | None = None) -> RaiseConcernResponse:
        """Raise a concern under a new key."""
        request = RaiseConcernRequest(idempotency_key=new_key(), concern=concern)
        response: RaiseConcernResponse = self.stub("Intake", who or self.officer).RaiseConcern(
            request, timeout=CALL_SECONDS
        )
        return response

    # -- topics and stores -----------------------------------------------------------------------------------------

    def admin(self) -> KafkaAdminClient:
        """An administrator of the broker; the caller closes it."""
        return KafkaAdminClient(**self.stack.kafka_login(), reconnect_backoff_max_ms=1000)

    def partner_login(self, partner_id: str) -> dict[str, Any]:
        """That partner's kafka.json: `login`, `topic`, `replies_topic`, `group_prefix`, `routing_public_key`."""
        content: dict[str, Any] = json.loads(partners.login_file(self.stack.home, partner_id).read_text())
        return content

    def ends(self, names: Iterable[str] | None = None) -> dict[tuple[str, int], int]:
        """How many records each partition of each topic has had."""
        with _consumer(self.stack.kafka_login()) as consumer:
            chosen = sorted(names if names is not None else _ours(consumer))
            places = [TopicPartition(name, number) for name in chosen for number in range(6)]
            return {(place.topic, place.partition): end for place, end in consumer.end_offsets(places).items()}

    def records(self, names: Iterable[str] | None = None, since: dict[tuple[str, int], int] | None = None) -> list[Any]:
        """Every record that now lies on the topics, from offsets as `ends` gave them, or from the beginning."""
        ends = self.ends(names)
        first = {place: (since or {}).get(place, 0) for place in ends}
        places = [place for place in ends if ends[place] > first[place]]
        found: list[Any] = []
        with _consumer(self.stack.kafka_login()) as consumer:
            consumer.assign([TopicPartition(*place) for place in places])
            for place in places:
                consumer.seek(TopicPartition(*place), first[place])
            while any(consumer.position(TopicPartition(*place)) < ends[place] for place in places):
                for batch in consumer.poll(timeout_ms=500).values():
                    found += batch
        return found

    def send(
        self, user: str, topic: str, value: bytes | None, key: bytes | None, login: dict[str, Any] | None = None
    ) -> tuple[str, int, int]:
        """Write one record as a Kafka user; topic, partition and offset."""
        producer = KafkaProducer(
            **(login or self.stack.kafka_login(user)),
            acks="all",
            enable_idempotence=True,
            reconnect_backoff_max_ms=1000,
        )
        try:
            written = producer.send(topic, value, key=key).get(10)
            return topic, written.partition, written.offset
        finally:
            producer.close(timeout=5)

    def documents(self, service: str) -> Any:
        """A service's collection of referrals in the store."""
        return self.store[service.replace("-", "_")]["referrals"]

    @cached_property
    def store(self) -> MongoClient[dict[str, Any]]:
        """A client of the store."""
        return MongoClient(self.stack.mongo_url, tz_aware=True)

    def close(self) -> None:
        """End what this object opened; the stack is its maker's to stop."""
        for channel in self.channels.values():
            channel.close()
        if "store" in self.__dict__:
            self.store.close()


def opened(root: Path) -> Iterator[House]:
    """A house in a home of its own with every service and every partner, and traces written; stopped at the end."""
    area = root / "area"
    shutil.copytree(AREAS / default_area(), area)
    _with_unsigned_partner(area)
    stack = Stack(root / "home", area=str(area))
    traces = root / "traces"
    traces.mkdir()
    house = House(stack, traces)
    try:
        with pytest.MonkeyPatch.context() as environment:
            for service in topics.SERVICES:
                name = f"{service.replace('-', '_').upper()}_TRACE_FILE"
                environment.setenv(name, str(traces / f"{service}.jsonl"))
            stack.start()
        partners.add(stack, partners_of(area))
        yield house
    finally:
        house.close()
        stack.stop()


def channel_of(address: str, authority_file: Path, key: Path, certificate: Path) -> grpc.Channel:
    """A channel by these PEM files, without retries."""
    credentials = grpc.ssl_channel_credentials(authority_file.read_bytes(), key.read_bytes(), certificate.read_bytes())
    return grpc.secure_channel(address, credentials, options=[("grpc.enable_retries", 0)])


def new_key() -> str:
    """An idempotency key that nobody used."""
    return str(uuid.uuid4())


def refused(call: Callable[[], object]) -> grpc.RpcError:
    """The error that a call ends with; fails where it ends well."""
    try:
        answer = call()
    except grpc.RpcError as error:
        return error
    pytest.fail(f"was answered with a {type(answer).__name__}")


def _consumer(login: dict[str, str]) -> Any:
    return _Closing(
        KafkaConsumer(
            **login,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            auto_offset_reset="earliest",
            reconnect_backoff_max_ms=1000,
        )
    )


class _Closing:
    """Closes a consumer at the end of a block."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    def __enter__(self) -> Any:
        return self._consumer

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)


def _ours(consumer: Any) -> Sequence[str]:
    return [name for name in consumer.topics() if name.startswith(("referrals.", "partner."))]


def _with_unsigned_partner(area: Path) -> None:
    """Add UNSIGNED to a copy of an area: as local as its best housing partner, and first by id.

    Its agreement is not in force yet: with one that is over the service would not start.
    """
    with (area / "partners.toml").open("a") as file:
        file.write(
            f'\n[[partner]]\nid = "{UNSIGNED}"\nname = "Fenwick Housing"\nkind = "housing_association"\n'
            'serves = ["housing"]\nareas = ["bristol"]\nkafka = true\nsource = "invented for this test"\n'
        )
    agreement = (area / "agreements" / "meadow-homes.toml").read_text()
    unsigned = agreement.replace('"meadow-homes"', f'"{UNSIGNED}"').replace("meadow-homes", UNSIGNED)
    lines = [
        "signed_on = 2126-04-01"
        if line.startswith("signed_on")
        else "expires_on = 2127-03-31"
        if line.startswith("expires_on")
        else line
        for line in unsigned.splitlines()
    ]
    (area / "agreements" / f"{UNSIGNED}.toml").write_text("\n".join(lines) + "\n")
