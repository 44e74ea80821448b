"""Records that nobody can handle, of every kind, on every topic that a service reads; and what must become of each."""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from kafka import KafkaProducer

from safeguarding.v1 import intake_pb2, parked_pb2, parked_pb2_grpc, partner_pb2, routing_pb2, triage_pb2
from services import topics
from services.chassis.kafka_in.chunk import Position
from services.cli.local import partners
from services.cli.local.stack import Stack
from tests.chaos.clients import CALL_SECONDS, Channels, Clients, Who
from tests.chaos.headers import NoText
from tests.chaos.topics import records

FACTS: Mapping[str, tuple[str, Any, tuple[str, ...]]] = {
    topics.INTAKE.name: ("intake", intake_pb2.IntakeFact, ("triage", "partner-routing")),
    topics.TRIAGE.name: ("triage", triage_pb2.TriageFact, ("intake", "partner-routing")),
    topics.ROUTING.name: ("partner-routing", routing_pb2.RoutingFact, ("triage",)),
}
"""Each topic of facts with its writer, what it carries, and who reads it beside audit."""
OPERATOR = Who("operator", "operator-chaos")
DECIDING = ("intake", "triage", "partner-routing")
REPLAY_PAUSE = 0.5
LARGEST = 500_000
MOST_REAL = 2_000
"""Facts of a topic that poison is made of."""

REPLAY_SECONDS = 60.0


class Poisoned(NamedTuple):
    """A record that nobody can handle."""

    kind: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


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
        self.replayed = 0
        """How many parked records took effect when they were replayed: the others are poison for good."""

    @property
    def places(self) -> set[Position]:
        """Everything that was written here onto topics of facts."""
        return {place for places in self.parked.values() for place in places}

    def write(self, count: int, dice: random.Random) -> None:
        """Write about so many. Forks and gaps are none of them: a topic that holds one is not rebuilt from, so a run
        that ends with rebuilds can have none (tests/integration/bad_input/test_records.py has both)."""
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

    def replay(self) -> None:
        """An operator has everything that is parked handled again, until nothing but poison is left."""
        for service in DECIDING:
            stub = parked_pb2_grpc.ParkedRecordsStub(self._channels.to(service, OPERATOR))
            deadline = time.monotonic() + REPLAY_SECONDS
            while True:
                self.replayed += self._replayed(service, stub)
                if not self._healable(service, stub):
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError(f"what {service} parked by a bug that is gone was not handled again")
                time.sleep(REPLAY_PAUSE)

    def _replayed(self, service: str, stub: Any) -> int:
        """How many took effect."""
        request = parked_pb2.ReplayParkedRequest()
        return int(
            self._clients.insist(
                f"replay at {service}", lambda: stub.ReplayParked(request, timeout=CALL_SECONDS).replayed
            )
        )

    def _healable(self, service: str, stub: Any) -> int:
        """How many are parked that are no poison."""
        request = parked_pb2.ListParkedRequest()
        items = self._clients.insist(
            f"the parked of {service}", lambda: stub.ListParked(request, timeout=CALL_SECONDS).items
        )
        places = {Position(item.topic, item.partition, item.offset) for item in items}
        return len(places - self.parked[service])

    def _send(self, login: Mapping[str, Any], topic: str, poisoned: Iterable[Poisoned]) -> list[Position]:
        producer = KafkaProducer(
            **login, acks="all", enable_idempotence=True, reconnect_backoff_max_ms=1_000, max_request_size=2 * LARGEST
        )
        try:
            sent = []
            for each in poisoned:
                self.kinds[each.kind] += 1
                sent.append(producer.send(topic, each.value, key=each.key, headers=list(each.headers)))
            return [Position(topic, found.partition, found.offset) for found in (each.get(30) for each in sent)]
        finally:
            producer.close(timeout=5)


def _facts(real: list[Any], kind: Any, dice: random.Random, poison: Collection[Position]) -> Iterable[Poisoned]:
    key = str(uuid.UUID(int=dice.getrandbits(128), version=4)).encode()
    yield Poisoned("garbage", key, b"\xff\xff\xff")
    yield Poisoned("large garbage", key, dice.randbytes(LARGEST))
    yield Poisoned("no value", key, None)
    yield Poisoned("no bytes", key, b"")
    yield Poisoned("a header name that is no text", key, b"\xff", [(NoText("ce_id"), b"1")])
    yield Poisoned("header values that are no text", key, b"\xff", [("ce_id", b"\xff"), ("traceparent", b"\xfe\xff")])
    copy = partner_pb2.PartnerRecord(event_id=key.decode(), referral_id=key.decode(), leg_id=key.decode())
    yield Poisoned("another message", key, copy.SerializeToString())
    right = [each for each in real if Position(each.topic, each.partition, each.offset) not in poison]
    if not right:
        return
    source = dice.choice(right)
    yield Poisoned("another's key", key, source.value, source.headers)
    yield Poisoned("no key", None, source.value, source.headers)
    for name, change in _CHANGES.items():
        fact = kind.FromString(source.value)
        fact.header.referral_id = key.decode()
        change(fact)
        yield Poisoned(name, key, fact.SerializeToString(), source.headers)
        if name == "no fact":
            yield Poisoned("a fact of a later version", key, fact.SerializeToString() + LATER, source.headers)


def _no_time(fact: Any) -> None:
    fact.header.occurred_at.nanos = -1


def _no_fact(fact: Any) -> None:
    fact.ClearField(fact.WhichOneof("fact"))


def _uncounted(fact: Any) -> None:
    fact.header.sequence = 0


def _nameless(fact: Any) -> None:
    fact.header.event_id = ""


_CHANGES = {"no fact": _no_fact, "a time that is none": _no_time, "not counted": _uncounted, "no event id": _nameless}
LATER = b"\xfa\xff\x07\x02\x08\x01"
"""A message in the field 16,383, as a kind of fact that we do not know would lie there."""


def _replies() -> list[Poisoned]:
    referral, leg = str(uuid.uuid4()), str(uuid.uuid4())
    reply = partner_pb2.Reply(
        reply_id=str(uuid.uuid4()), referral_id=referral, leg_id=leg, accepted=partner_pb2.AcceptedReply()
    )
    raw, key = reply.SerializeToString(), referral.encode()
    return [
        Poisoned("reply: garbage", key, b"\xff\xff"),
        Poisoned("reply: no value", key, None),
        Poisoned("reply: another's key", leg.encode(), raw),
        Poisoned("reply: no key", None, raw),
        Poisoned("reply: a leg of nobody's", key, raw),
        Poisoned("reply: garbage under a header name that is no text", key, b"\xff", [(NoText("ce_id"), b"\xff")]),
    ]
