"""Row 10: a service's state made again from its topics, beside a bare drain of the same topics."""

from __future__ import annotations

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition

from services.triage.domain import TRIAGE
from tests.performance.ground import PARTITIONS, Ground, Loaded
from tests.performance.log_rows import measured
from tests.performance.result import LIMIT, Claim, Contest, Sample
from tests.performance.triaging import decided
from tests.performance.work import raised_facts

DATABASE = "rebuild_bench"
WHY = (
    "a bare loop that reads by the same client, parses each fact once, holds it against its field rules, folds it and"
    " stores each document, and does nothing else of what a rebuild is for, takes as long (10.limit). The drain takes"
    " 4 to 6 µs a record, so that 0.3 of it are some 20; reading takes 5 of them, parsing and field rules 7, folding"
    " facts to state and view 6, documents 3."
)


def beside_drain(ground: Ground, referrals: int) -> Contest:
    """Row 10."""
    upstream, own = ground.topics(["bench.rebuild.intake", "bench.rebuild.triage"])
    raised = list(raised_facts(referrals))
    said = [Loaded(one.key, fact.SerializeToString(deterministic=True)) for one in raised for fact in decided(one)]
    ground.load(upstream, raised)
    ground.load(own, said)
    _committed(ground, upstream)

    def arm(kind: str) -> Sample:
        ground.store.drop_database(DATABASE)
        told = {"kind": kind, "upstream": upstream, "own": own, "database": DATABASE, "referrals": referrals}
        told["partitions"] = PARTITIONS
        return measured("rebuild", {**ground.settings, **told})

    return Contest(
        "rebuild",
        f"triage's {referrals:,} referrals from {len(raised) + len(said):,} facts of two topics, stored and checked;"
        " the drain reads by the same client in a bare loop, parses nothing and keeps nothing; the limit parses, holds"
        " against the field rules, folds and stores, and asks nothing else",
        {
            "rebuild": lambda: arm("rebuild"),
            "bare drain": lambda: arm("drain"),
            LIMIT: lambda: arm("limit"),
        },
        [
            Claim("10", "rebuild to a bare drain, by CPU-second", "rebuild", "bare drain", 0.3, reached=0.14, why=WHY),
            Claim("10.clock", "rebuild to a bare drain, by the clock", "rebuild", "bare drain", 0, "per_second"),
            Claim(
                "10.limit",
                "only what a rebuild cannot do without, to the same drain",
                LIMIT,
                "bare drain",
                0,
            ),
        ],
    )


def _committed(ground: Ground, topic: str) -> None:
    """As if triage had read all of it: an upstream topic is read up to there."""
    consumer = KafkaConsumer(**ground.login, group_id=TRIAGE, enable_auto_commit=False)
    try:
        ends = ground.ends([topic])
        consumer.commit({TopicPartition(*place): OffsetAndMetadata(end, "", -1) for place, end in ends.items()})
    finally:
        consumer.close(autocommit=False)
