"""Records that nobody can handle, of every kind, on every topic that a service reads; and what must become of each."""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any

from kafka import KafkaProducer

from safeguarding.v1 import intake_pb2, parked_pb2, parked_pb2_grpc, partner_pb2, routing_pb2, triage_pb2
from services import topics
from services.chassis.kafka_in.chunk import Position
from services.cli.local import partners
from services.cli.local.stack import Stack
from tests.chaos.clients import CALL_SECONDS, Channels, Clients, Who
from tests.chaos.topics import records

FACTS: Mapping[str, tuple[str, Any, tuple[str, ...]]] = {
    topics.INTAKE.name: ("intake", intake_pb2.IntakeFact, ("triage", "partner-routing")),
    topics.TRIAGE.name: ("triage", triage_pb2.TriageFact, ("intake", "partner-routing")),
    topics.ROUTING.name: ("partner-routing", routing_pb2.RoutingFact, ("triage",)),
}
"""Each topic of facts with its writer, what it carries, and who reads it beside audit."""
OPERATOR = Who("operator", "operator-chaos")
LARGEST = 500_000
MOST_REAL = 2_000
"""Facts of a topic that poison is made of."""

Poisoned = tuple[str, bytes | None, bytes | None]
"""Kind, key and value."""


class Poison:
    """Writes poison as the topics' own writers, and remembers where each piece lies and who must park it."""

    def __init__(self, stack: Stack, channels: Channels, clients: Clients, kafka_partners: Collection[str]) -> None:
        self._stack = stack
        self._channels = channels
        self._clients = clients
        self._partners = sorted(kafka_partners)
        self.parked: dict[str, set[Position]] = {service: set() for service in topics.SERVICES}
        """What each service must have parked, and nothing else."""
        self.refusals: Counter[str] = Counter()
        """How many replies of each partner must have been refused, each once."""
        self.kinds: Counter[str] = Counter()

    @property
    def places(self) -> set[Position]:
        """Everything that was written here onto topics of facts."""
        return {place for places in self.parked.values() for place in places}

    def write(self, count: int, dice: random.Random) -> None:
        """Write about so many. Forks are none of them: no rebuild can tell which branch is the right one."""
        for topic, (writer, kind, readers) in FACTS.items():
            real = list(islice((each for each in records(self._stack, [topic]) if each.key is not None), MOST_REAL))
            made = list(_facts(real, kind, dice, self.places))
            chosen = [dice.choice(made) for _ in range(count // 4)]
            for place in self._send(self._stack.kafka_login(writer), topic, chosen):
                for reader in readers:
                    self.parked[reader].add(place)
        for _ in range(count // 4):
            partner = dice.choice(self._partners)
            file = json.loads(partners.login_file(self._stack.home, partner).read_text())
            self._send(file["login"], file["replies_topic"], [dice.choice(_replies())])
            self.refusals[partner] += 1

    def replay(self) -> int:
        """An operator has everything that is parked handled again; how many took effect."""
        took_effect = 0
        for service in ("intake", "triage", "partner-routing"):
            stub = parked_pb2_grpc.ParkedRecordsStub(self._channels.to(service, OPERATOR))
            request = parked_pb2.ReplayParkedRequest()

            def replayed(stub: Any = stub, request: Any = request) -> int:
                return int(stub.ReplayParked(request, timeout=CALL_SECONDS).replayed)

            took_effect += self._clients.insist(f"replay at {service}", replayed)
        return took_effect

    def _send(self, login: Mapping[str, Any], topic: str, poisoned: Iterable[Poisoned]) -> list[Position]:
        producer = KafkaProducer(
            **login, acks="all", enable_idempotence=True, reconnect_backoff_max_ms=1_000, max_request_size=2 * LARGEST
        )
        try:
            sent = []
            for kind, key, value in poisoned:
                self.kinds[kind] += 1
                sent.append(producer.send(topic, value, key=key))
            return [Position(topic, found.partition, found.offset) for found in (each.get(30) for each in sent)]
        finally:
            producer.close(timeout=5)


def _facts(real: list[Any], kind: Any, dice: random.Random, poison: Collection[Position]) -> Iterable[Poisoned]:
    key = str(uuid.UUID(int=dice.getrandbits(128), version=4)).encode()
    yield "garbage", key, b"\xff\xff\xff"
    yield "large garbage", key, dice.randbytes(LARGEST)
    yield "no value", key, None
    yield "no bytes", key, b""
    copy = partner_pb2.PartnerRecord(event_id=key.decode(), referral_id=key.decode(), leg_id=key.decode())
    yield "another message", key, copy.SerializeToString()
    right = [each for each in real if Position(each.topic, each.partition, each.offset) not in poison]
    if not right:
        return
    source = dice.choice(right)
    yield "another's key", key, source.value
    yield "no key", None, source.value
    for name, change in _CHANGES.items():
        fact = kind.FromString(source.value)
        fact.header.referral_id = key.decode()
        change(fact)
        yield name, key, fact.SerializeToString()


def _no_time(fact: Any) -> None:
    fact.header.occurred_at.nanos = -1


def _no_fact(fact: Any) -> None:
    fact.ClearField(fact.WhichOneof("fact"))


def _uncounted(fact: Any) -> None:
    fact.header.sequence = 0


_CHANGES = {"a time that is none": _no_time, "no fact": _no_fact, "not counted": _uncounted}


def _replies() -> list[Poisoned]:
    referral, leg = str(uuid.uuid4()), str(uuid.uuid4())
    reply = partner_pb2.Reply(
        reply_id=str(uuid.uuid4()), referral_id=referral, leg_id=leg, accepted=partner_pb2.AcceptedReply()
    )
    raw, key = reply.SerializeToString(), referral.encode()
    return [
        ("reply: garbage", key, b"\xff\xff"),
        ("reply: no value", key, None),
        ("reply: another's key", leg.encode(), raw),
        ("reply: no key", None, raw),
        ("reply: a leg of nobody's", key, raw),
    ]
