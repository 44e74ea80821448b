"""Rows 1 and 2: one hop, consume, parse, choose one of eight topics, produce; nothing kept."""

from __future__ import annotations

import tempfile
from collections import Counter
from typing import Any

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance import quix, streams
from tests.performance.ground import Ground
from tests.performance.hop import Hop, What
from tests.performance.result import Claim, Contest, Sample
from tests.performance.work import SINKS, chosen, hop_facts

WHY = (
    "of some 50 µs an event, the engine's own Python takes 28: parsing, field rules, the decided fact with its id,"
    " headers and bytes, the document, and settling. The stock agent beside it forwards what it read; 15 times"
    " its 3,500 to 4,700 events a CPU-second leave 14 to 19 µs for all of it, as much as a bare loop of aiokafka needs."
)


def stock(ground: Ground, events: int) -> Contest:
    """Row 1: through the engine on our transport, beside a stock agent."""
    hop = prepared(ground, events, "stock")
    return Contest(
        "one hop",
        f"{events:,} facts, one of 8 topics chosen for each, nothing kept",
        {
            "engine": lambda: hop.run("hop_engine"),
            "stock faust": lambda: hop.run("hop_faust"),
            "floor: kafka-python loop": lambda: hop.run("hop_floor"),
        },
        [
            Claim(
                "1",
                "one hop: engine to stock Faust agent",
                "engine",
                "stock faust",
                15,
                reached=5.5,
                why=WHY,
            ),
            Claim("1.floor", "one hop: engine to bare loop", "engine", "floor: kafka-python loop", 0),
        ],
    )


def peers(ground: Ground, events: int) -> Contest:
    """Row 2: beside other Python ways to do the same."""
    hop = prepared(ground, events, "peers")
    return Contest(
        "one hop, beside peers",
        f"{events:,} facts, one of 8 topics chosen for each, nothing kept; the peers forward what they read",
        {
            "engine": lambda: hop.run("hop_engine"),
            "aiokafka loop": lambda: hop.run("hop_aiokafka"),
            "confluent-kafka loop": lambda: hop.run("hop_confluent"),
            "sentry-arroyo": lambda: hop.run("hop_arroyo"),
            "quixstreams": lambda: hop.run("hop_quix", command=quix.command()),
            "kafka streams": lambda: _streams(hop),
        },
        [
            Claim("2.aiokafka", "one hop: engine to bare aiokafka loop", "engine", "aiokafka loop", 0.8),
            Claim("2.confluent", "one hop: engine to bare confluent-kafka loop", "engine", "confluent-kafka loop", 0.5),
            Claim("2.arroyo", "one hop: engine to sentry-arroyo", "engine", "sentry-arroyo", 1.8),
            Claim("2.quix", "one hop: engine to quixstreams", "engine", "quixstreams", 1.0),
            Claim("2.streams", "one hop: engine to Kafka Streams", "engine", "kafka streams", 0.35),
            Claim(
                "2.streams.memory",
                "one hop: memory of the engine to that of Kafka Streams",
                "engine",
                "kafka streams",
                0.45,
                "memory",
                "at most",
            ),
        ],
    )


def _streams(hop: Hop) -> Sample:
    with tempfile.TemporaryDirectory(prefix="bench-streams-") as folder:
        return hop.run("hop_streams", command=streams.command(), folder=folder)


def prepared(ground: Ground, events: int, name: str) -> Hop:
    """The hop with its topics made and its source loaded."""
    source, *sinks = ground.topics([f"bench.{name}.in", *(f"bench.{name}.out.{n}" for n in range(SINKS))])
    records = list(hop_facts(events))
    ground.load(source, records)
    expected = Counter((sinks[chosen(IntakeFact.FromString(record.value))], record.key) for record in records)
    return Hop(ground, source, sinks, events, expected, _what)


def _what(record: Any) -> What:
    return record.topic, record.key
