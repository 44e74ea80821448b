"""The hop through our engine and our Faust transport: a trivial decider, and a store that keeps nothing."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from aiokafka import AIOKafkaProducer
from google.protobuf.message import Message

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD, NoFurtherActionTaken, TriageFact
from services.chassis import garbage, logs
from services.chassis.deciding import Context, Input, Upstream
from services.chassis.engine import Engine
from services.chassis.engine.document import Document
from services.chassis.engine.observing import UNOBSERVED, MetricsObserver
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.publisher import OwnPublisher
from services.chassis.engine.reading import readers_of
from services.chassis.engine.store import Published
from services.chassis.engine.wiring import Wiring
from services.chassis.kafka_in.consumer import KafkaIn
from services.chassis.metrics import METRICS
from services.chassis.parked import ParkedRecords
from services.chassis.records import OutRecord, rfc3339
from tests.performance.arms.told import access, told
from tests.performance.arms.unsafe import OBSERVED, Trusting
from tests.performance.choosing import chosen


class HopDecider:
    """What came in goes out, on the topic of its kind."""

    writer = "triage"
    fact_type: type[Message] = TriageFact
    upstream_types: Mapping[str, type[Message]] = {"intake": IntakeFact}
    opened_by = "intake"

    def initial(self) -> int:
        """No topic chosen."""
        return 0

    def evolve(self, state: int, writer: str, fact: Any) -> int:
        """The chosen topic."""
        return chosen(fact) if writer == "intake" else state

    def decide(self, state: int, given: Input, context: Context) -> Sequence[TriageFact]:
        """One fact of about the same size."""
        assert isinstance(given, Upstream)
        fact: Any = given.fact
        reason = NO_FURTHER_ACTION_REASON_BELOW_THRESHOLD
        return [TriageFact(no_further_action=NoFurtherActionTaken(reason=reason, note=fact.raised.parts[0]))]

    def view(self, state: int) -> dict[str, Any]:
        """Nothing."""
        return {}


class EmptyStore:
    """A store that keeps nothing and costs nothing."""

    def load(self, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        """See Store."""
        return []

    def save(
        self, changed: Sequence[Document[Any]], views: Mapping[str, Any], published: Iterable[Published]
    ) -> set[str]:
        """See Store."""
        token = secrets.token_hex(8)
        for document in changed:
            document.revision = token
        return set()

    def waiting(self, until: datetime) -> list[Mapping[str, Any]]:
        """See Store."""
        return []


def _without() -> str:
    """The safety that is left out."""
    return str(told().get("without", ""))


@cache
def _sinks() -> list[str]:
    sinks: list[str] = told()["sinks"]
    return sinks


class HopOutbox(Outbox):
    """Sends to one of eight topics."""

    def unsent(self, document: Document[Any]) -> list[OutRecord]:
        """See Outbox."""
        self._topic = _sinks()[document.state]
        return super().unsent(document)


class UntracedOutbox(HopOutbox):
    """The same records without a trace, which is never made: no hex of ids, no words, no header."""

    def unsent(self, document: Document[Any]) -> list[OutRecord]:
        """See Outbox.unsent, whose work on headers, order and `published` this repeats; nothing here has copies."""
        topic = _sinks()[document.state]
        own, published = document.own, document.published
        if len(own) == published:
            return []
        raws = document.facts[self._writer]
        key = document.id.encode()
        records: list[OutRecord] = []
        for raw, fact in zip(raws[published:], own[published:], strict=True):
            header, name = fact.header, fact.WhichOneof("fact")
            heading = self._headings.get(name) or self._heading(name, getattr(fact, name).DESCRIPTOR.full_name)
            records.append(OutRecord(topic, key, raw, heading.of(header.event_id, key, rfc3339(header.occurred_at))))
        return records


def main() -> None:
    """Work until ended."""
    logs.configure("bench", "WARNING")
    decider = HopDecider()
    source, observed = told()["source"], _without() != OBSERVED
    outbox = HopOutbox if observed else UntracedOutbox
    engine = Engine(
        Wiring(
            decider=decider,
            store=EmptyStore(),
            publisher=OwnPublisher(lambda: AIOKafkaProducer(**access().batch_producer("bench"))),
            outbox=outbox("triage", told()["sinks"][0], "TriageFact"),
            parked=ParkedRecords("bench.parked", "triage", [source]),
            actor=Actor(role=ROLE_SERVICE, id="triage"),
            readers=readers_of({source: ("intake", IntakeFact)}),
            observer=MetricsObserver(METRICS) if observed else UNOBSERVED,
        )
    )
    if _without() == "dedupe":
        engine._turns._judge = Trusting(decider)
    engine.start()
    garbage.look_seldom()
    KafkaIn(access(), [source], told()["group"], engine.handle).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
