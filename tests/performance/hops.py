"""Rows 1 and 2: one hop, consume, parse, choose one of eight topics, produce; nothing kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from tests.performance import quix, streams
from tests.performance.arms.hop_limit import fact_of
from tests.performance.choosing import SINKS, chosen
from tests.performance.delivered import What, as_it_is, forwarded, timeless
from tests.performance.ground import Ground, Loaded
from tests.performance.hop import Hop
from tests.performance.result import LIMIT, Claim, Contest, Sample
from tests.performance.work import hop_facts

WHY = (
    "of some 36 µs an event, Kafka in takes 5, the publisher 7, and the engine's own thread 20 to 24: field rules 4,"
    " the decision itself 2 to 4, headers and records 3, the fact's id and header 2, and many smaller things. 15 times"
    " the stock agent, which forwards what it read, leave 13 to 18 for all of it. That is what a bare loop takes that"
    " does only what an event cannot do without (1.limit): read, parse, field rules, build, hash and serialise a fact,"
    " write. Compiled by mypyc the engine gains 8 in a hundred (docs/decisions/0015)."
)

PEERS_WHY = (
    "the engine decides a fact of its own, with its id, headers, field rules, document, order and repeats, at some"
    " 36 µs; the peers forward the bytes that they read. A bare loop that decides the same fact and does nothing else"
    " (2.limit) is itself below these goals, but for arroyo's: to hold that the engine would have to do all else in"
    " a third of what the fact costs."
)
STREAMS_WHY = (
    "a warm JVM forwards a record in 11 to 14 µs; a bare loop in Python that decides a fact and does nothing else"
    " (2.limit.streams) is at about half of that, and the engine does the rest of its work in as much again."
)


JVM_WARMS = 400_000
"""Facts that Kafka Streams has handled when it begins to be measured: a JVM is slow until it has compiled what runs
often, on cores that it shares with what it runs."""


class Prepared(NamedTuple):
    """The same facts, for two kinds of arms."""

    deciding: Hop
    """Of what was read a fact of its own is decided: its value differs from what was read, and by its time from run to
    run."""
    forwarding: Hop
    """What was read is handed on, byte for byte."""


def stock(ground: Ground, events: int) -> Contest:
    """Row 1: through the engine on our transport, beside a stock agent."""
    hop, forwarding = prepared(ground, events, "stock")
    return Contest(
        "one hop",
        f"{events:,} facts, one of 8 topics chosen for each, nothing kept",
        {
            "engine": lambda: hop.run("hop_engine"),
            "stock faust": lambda: forwarding.run("hop_faust"),
            "floor: kafka-python loop": lambda: forwarding.run("hop_floor"),
            LIMIT: lambda: hop.run("hop_limit"),
        },
        [
            Claim(
                "1",
                "one hop: engine to stock Faust agent",
                "engine",
                "stock faust",
                15,
                reached=4.5,
                why=WHY,
            ),
            Claim("1.floor", "one hop: engine to bare loop", "engine", "floor: kafka-python loop", 0),
            Claim(
                "1.limit",
                "only what an event cannot do without, to stock Faust agent",
                LIMIT,
                "stock faust",
                0,
            ),
        ],
    )


def peers(ground: Ground, events: int) -> Contest:
    """Row 2: beside other Python ways to do the same."""
    hop, forwarding = prepared(ground, events, "peers")
    more = _loaded(ground, JVM_WARMS + events, "warmed")
    warmed = replace(more.forwarding(), warm=JVM_WARMS / (JVM_WARMS + events))
    return Contest(
        "one hop, beside peers",
        f"{events:,} facts, one of 8 topics chosen for each, nothing kept; the peers forward what they read."
        f" Kafka Streams is measured after {JVM_WARMS:,} others",
        {
            "engine": lambda: hop.run("hop_engine"),
            "aiokafka loop": lambda: forwarding.run("hop_aiokafka"),
            "confluent-kafka loop": lambda: forwarding.run("hop_confluent"),
            "sentry-arroyo": lambda: forwarding.run("hop_arroyo"),
            "quixstreams": lambda: forwarding.run("hop_quix", command=quix.command()),
            "kafka streams": lambda: _streams(warmed),
            LIMIT: lambda: hop.run("hop_limit"),
        },
        [
            _of_peer("aiokafka", "bare aiokafka loop", "aiokafka loop", 0.8, 0.08),
            _of_peer("confluent", "bare confluent-kafka loop", "confluent-kafka loop", 0.5, 0.07),
            _of_peer("arroyo", "sentry-arroyo", "sentry-arroyo", 1.8, 0.94),
            _of_peer("quix", "quixstreams", "quixstreams", 1.0, 0.28),
            Claim(
                "2.streams",
                "one hop: engine to Kafka Streams, warm",
                "engine",
                "kafka streams",
                0.35,
                reached=0.19,
                why=STREAMS_WHY,
            ),
            Claim(
                "2.streams.memory",
                "one hop: memory of the engine to that of Kafka Streams, warm",
                "engine",
                "kafka streams",
                0.45,
                "memory",
                "at most",
            ),
            _of_limit("aiokafka", "bare aiokafka loop", "aiokafka loop"),
            _of_limit("confluent", "bare confluent-kafka loop", "confluent-kafka loop"),
            _of_limit("arroyo", "sentry-arroyo", "sentry-arroyo"),
            _of_limit("quix", "quixstreams", "quixstreams"),
            _of_limit("streams", "Kafka Streams, warm", "kafka streams"),
        ],
    )


def _of_peer(row: str, name: str, arm: str, goal: float, reached: float) -> Claim:
    return Claim(f"2.{row}", f"one hop: engine to {name}", "engine", arm, goal, reached=reached, why=PEERS_WHY)


def _of_limit(row: str, name: str, arm: str) -> Claim:
    what = f"only what a decided event cannot do without, to {name}"
    return Claim(f"2.limit.{row}", what, LIMIT, arm, 0)


def _streams(hop: Hop) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as folder:
        return hop.run("hop_streams", command=streams.command(), folder=folder)


def prepared(ground: Ground, events: int, name: str) -> Prepared:
    """The hop with its topics made and its source loaded."""
    loaded = _loaded(ground, events, name)
    return Prepared(loaded.deciding(), loaded.forwarding())


@dataclass(frozen=True)
class Loads:
    """What lies on the source, and for which of the sinks."""

    ground: Ground
    source: str
    sinks: Sequence[str]
    records: Sequence[Loaded]

    def deciding(self) -> Hop:
        """See Prepared."""
        own = [Loaded(record.key, timeless(fact_of(_fact(record)))) for record in self.records]
        return self._hop(own, _decided)

    def forwarding(self) -> Hop:
        """See Prepared."""
        return self._hop(self.records, as_it_is)

    def _hop(self, made: Sequence[Loaded], what: Callable[[Any], What]) -> Hop:
        chosen_for = (self.sinks[chosen(_fact(record))] for record in self.records)
        expected = Counter(map(forwarded, chosen_for, made))
        return Hop(self.ground, self.source, self.sinks, len(self.records), expected, what)


def _loaded(ground: Ground, events: int, name: str) -> Loads:
    source, *sinks = ground.topics([f"bench.{name}.in", *(f"bench.{name}.out.{n}" for n in range(SINKS))])
    records = list(hop_facts(events))
    ground.load(source, records)
    return Loads(ground, source, sinks, records)


def _fact(record: Loaded) -> IntakeFact:
    return IntakeFact.FromString(record.value)


def _decided(record: Any) -> What:
    """A fact of the engine's own: all of it but the time at which it was decided, which no two runs share."""
    return as_it_is(record._replace(value=timeless(TriageFact.FromString(record.value))))
