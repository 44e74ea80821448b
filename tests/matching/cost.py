"""What one referral's triage decision costs, rules and links and all, as earlier referrals grow in number.

By hand: `python -m tests.matching.cost` (minutes) starts a store of its own, and fails above 1.5 times.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.engine import Engine
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.reading import facts_of
from services.chassis.engine.store import MongoStore
from services.chassis.engine.wiring import Wiring
from services.chassis.kafka_in.chunk import Chunk, Record
from services.chassis.parked import ParkedRecords
from services.cli.local.environments import AREAS, default_area
from services.cli.local.stack import Stack
from services.triage.area import Area
from services.triage.domain import INTAKE, TRIAGE, State, TriageDecider
from services.triage.gather import Gatherer, entries_of, match_keys, match_parts
from services.triage.index import COLLECTION, Index, MongoBuckets
from services.triage.views import Referrals, known_of
from tests.fakes.linking import INDEX_KEY, Linking
from tests.fakes.publisher import MemoryPublisher
from tests.matching.referrals import Labelled, generated

SOURCE = "intake.bench"
SEEDED_AT_ONCE = 1_000
MOST_TIMES = 1.5


class Commands(CommandListener):
    """Counts what the store is sent, and how long it took to answer."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0

    def started(self, event: CommandStartedEvent) -> None:
        """See CommandListener."""
        self.counts[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """See CommandListener."""
        self.seconds += event.duration_micros / 1e6

    def failed(self, event: CommandFailedEvent) -> None:
        """See CommandListener."""


@dataclass
class Bench:
    """A triage on a real store, with so many earlier referrals; only broker and intake's keys are in memory."""

    mongo_url: str
    earlier: int
    seed: int = 7
    linking: Linking = field(default_factory=Linking)
    times: list[float] = field(default_factory=list)
    """Seconds of each batch."""
    in_store: list[float] = field(default_factory=list)
    """How many of them the store took to answer."""
    linked: int = 0

    def __post_init__(self) -> None:
        """Connect, and make an engine."""
        self.commands = Commands()
        self.client: MongoClient[dict[str, Any]] = MongoClient(
            self.mongo_url, event_listeners=[self.commands], retryWrites=False, tz_aware=True
        )
        name = f"links_{self.earlier}"
        self.client.drop_database(name)
        self._database = self.client[name]
        store = MongoStore(self._database["referrals"], TRIAGE)
        store.prepare()
        buckets = MongoBuckets(self._database[COLLECTION])
        buckets.prepare()
        self._index = Index(buckets, INDEX_KEY)
        self._publisher = MemoryPublisher()
        gatherer = Gatherer(self.linking.keys, self._index, Referrals(self._database["referrals"]))
        area = Area(AREAS / default_area())
        self.engine: Engine[State] = Engine(
            Wiring(
                decider=TriageDecider(),
                store=store,
                publisher=self._publisher,
                outbox=Outbox(TRIAGE, "triage.bench", "TriageFact"),
                parked=ParkedRecords("parked.bench", TRIAGE, [SOURCE]),
                actor=Actor(role=ROLE_SERVICE, id=TRIAGE),
                readers={SOURCE: facts_of(INTAKE, IntakeFact)},
                rules=lambda: area,
                gather=gatherer.gather,
            )
        )
        # As many earlier referrals for each family, whatever their number: else density is measured, not size.
        self._referrals = generated(self.earlier + 2_000, self.seed, town_of=self.earlier)
        self._offset = 0

    def fill(self) -> None:
        """Store the earlier referrals as triage would have, without deciding them one by one."""
        left = self.earlier
        while left:
            facts = self._facts(list(islice(self._referrals, min(left, SEEDED_AT_ONCE))))
            left -= len(facts)
            documents = [stored_as_heard(fact) for fact in facts]
            self._database["referrals"].insert_many(documents)
            known = {document["_id"]: known_of(document) for document in documents}
            keys = self.linking.keys.open(list(known))
            self._index.add(
                entries_of((each, of, match_keys(each, match_parts(of), keys[each])) for each, of in known.items())
            )
        self.engine.start()

    def hear(self, count: int) -> None:
        """Decide the next so many referrals as one fetch, and note how long it took."""
        facts = self._facts(list(islice(self._referrals, count)))
        records = [self._record(fact) for fact in facts]
        before = len(self._publisher.records)
        answered, began = self.commands.seconds, time.perf_counter()
        held = self.engine.handle(Chunk(records)).result(120)
        self.times.append(time.perf_counter() - began)
        self.in_store.append(self.commands.seconds - answered)
        assert not held
        decided = [TriageFact.FromString(record.value or b"") for record in self._publisher.records[before:]]
        assert {fact.header.referral_id for fact in decided} == {fact.header.referral_id for fact in facts}
        self.linked += sum(fact.WhichOneof("fact") == "linked" for fact in decided)

    def close(self) -> None:
        """Stop."""
        self.engine.stop(10)
        self.client.close()

    def _facts(self, referrals: Sequence[Labelled]) -> list[IntakeFact]:
        return [self.linking.raised(each.concern, f"{self.earlier}/{each.name}", each.at) for each in referrals]

    def _record(self, fact: IntakeFact) -> Record:
        self._offset += 1
        key = fact.header.referral_id.encode()
        return Record(SOURCE, 0, self._offset, 0, key, fact.SerializeToString(deterministic=True), ())


def compared(mongo_url: str, fewer: int, more: int, *, batches: int, size: int) -> tuple[Bench, Bench]:
    """Both, batch by batch in turn, so that a busy machine is busy for both. The first batch warms up."""
    benches = Bench(mongo_url, fewer), Bench(mongo_url, more)
    try:
        for bench in benches:
            bench.fill()
        for number in range(batches + 1):
            for bench in benches if number % 2 else benches[::-1]:
                bench.hear(size)
                if number == 0:
                    bench.times.clear()
                    bench.in_store.clear()
                    bench.commands.counts.clear()
                    bench.linked = 0
    finally:
        for bench in benches:
            bench.close()
    return benches


def times_over(benches: tuple[Bench, Bench]) -> float:
    """How many times the cost of the fewer the cost with the more is."""
    fewer, more = (median(bench.times) for bench in benches)
    return more / fewer


def stored_as_heard(fact: IntakeFact) -> dict[str, Any]:
    """A document as triage keeps it, with nothing decided."""
    raw = fact.SerializeToString(deterministic=True)
    view = {"waiting": False, "next_clock": None}
    return {
        "_id": fact.header.referral_id,
        "revision": "seeded",
        "facts": {INTAKE: [raw]},
        "published": 0,
        "copies": [],
        "view": view,
    }


def _lines(benches: tuple[Bench, Bench], size: int) -> Iterator[str]:
    for bench in benches:
        each, stored = (1000 * median(seconds) / size for seconds in (bench.times, bench.in_store))
        commands = {name: round(count / len(bench.times), 1) for name, count in sorted(bench.commands.counts.items())}
        links = bench.linked / (len(bench.times) * size)
        yield f"{bench.earlier:>9,} earlier: {each:.2f} ms a referral, {stored:.2f} of it the store, {links:.2f} links"
        yield f"          a batch of {size}: {commands}"
    yield f"{times_over(benches):.2f} times (at most {MOST_TIMES})"


def main() -> int:
    """Measure on a store of our own, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.matching.cost", description=__doc__)
    parser.add_argument("--fewer", type=int, default=1_000)
    parser.add_argument("--more", type=int, default=100_000)
    parser.add_argument("--batches", type=int, default=30)
    parser.add_argument("--size", type=int, default=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "home", ends_with=os.getpid())
        try:
            stack.start(["mongo"])
            benches = compared(stack.mongo_url, asked.fewer, asked.more, batches=asked.batches, size=asked.size)
        finally:
            stack.stop()
    for line in _lines(benches, asked.size):
        sys.stdout.write(line + "\n")
    return int(times_over(benches) > MOST_TIMES)


if __name__ == "__main__":
    raise SystemExit(main())
