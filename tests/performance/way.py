"""The ways from intake's topic to a partner's, each played at a rate: our services, relays, and the usual way.

Both ends are the broker's own times of the two records, so that nothing of the driver's is in them; intake acknowledges
a concern when its fact is there. Concerns are sent when they are due, whatever became of those before.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from statistics import quantiles
from typing import Any

from kafka import KafkaProducer

from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import RaiseConcernRequest
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from safeguarding.v1.partner_pb2 import PartnerRecord
from services.chassis.grpc_client import TlsFiles, channel
from services.cli.demo.people import partners_of
from services.cli.local import authority, directory, environments, partners
from services.topics import INTAKE, partner_topic
from tests.chaos.load import concerns
from tests.performance.delivered import as_it_is, differs, forwarded, uneven
from tests.performance.ground import Ground, Loaded, Places
from tests.performance.process import ArmEnded, running
from tests.performance.result import Sample
from tests.performance.travelled import Raised, Sent, carried, copies_of, times
from tests.performance.triaging import decided, environment
from tests.performance.work import raised_facts

CHAIN = ("intake", "triage", "partner-routing")
WARM_SECONDS = 3.0
ARRIVES_SECONDS = 60.0
FIRST_SECONDS = 60.0
STILL_SECONDS = 1.0
CALL_SECONDS = 30.0
LOOK_EVERY = 0.1
CARRIED = 0.99
"""Of its rate: a run that carries less is one whose queue grows, and void."""

Hops = Sequence[tuple[str, Mapping[str, Any]]]
"""Arms, and what each is told."""
Send = Callable[[int], Any]
"""Send the concern of this number, without waiting; the answer's `result` gives its key on the topics."""
Wrong = Callable[[Sequence[bytes], Sequence[Any]], str]
"""What is wrong with what arrived, or nothing: of the keys of what was sent, by number, and the records at the end."""


class Way:
    """The ways from intake's topic to a partner's."""

    def __init__(self, ground: Ground, rate: float, seconds: float) -> None:
        self._ground, self._rate, self._seconds = ground, rate, seconds

    def ours(self) -> Sample:
        """Intake, triage and partner-routing as the local stack runs them."""
        stack = self._ground.stack
        source, sinks = INTAKE.name, self._partner_topics
        stack.start(CHAIN)
        try:
            with channel(stack.address("intake"), self._officer) as opened:
                stub = IntakeStub(opened)
                run = uuid.uuid4().hex

                def send(number: int) -> Any:
                    concern = self._concerns[number % len(self._concerns)]
                    request = RaiseConcernRequest(idempotency_key=f"{run}-{number}", concern=concern)
                    return Raised(stub.RaiseConcern.future(request, timeout=CALL_SECONDS))

                return self._measured(source, sinks, send, self._copies_wrong)
        finally:
            stack.hold(*CHAIN)

    def relays(self) -> Sample:
        """Two loops of aiokafka that forward what they read."""
        return self._relayed(keep=False)

    def keeping(self) -> Sample:
        """The same loops, each of which keeps a record in the store before it forwards it."""
        return self._relayed(keep=True)

    def _relayed(self, *, keep: bool) -> Sample:
        run = uuid.uuid4().hex[:6]
        first, second, last = self._topics(f"bench.relay.{run}")
        kept = [{"database": f"relay_{run}_{n}"} if keep else {} for n in range(2)]
        hops: Hops = [
            ("relay", {"source": first, "sink": second, **kept[0]}),
            ("relay", {"source": second, "sink": last, **kept[1]}),
        ]
        return self._between(first, last, hops, lambda record: [record])

    def usual(self) -> Sample:
        """Stock agents with one find, one update and one awaited send for each event; nothing is sealed."""
        run = uuid.uuid4().hex[:6]
        raised, triaged, copied = self._topics(f"bench.usual.{run}")
        told = {"environment": {**environment(self._ground), "TRIAGE_MONGO_DATABASE": f"usual_{run}"}}
        hops: Hops = [
            ("triage_usual", {"source": raised, "sinks": [triaged], **told}),
            ("routing_usual", {"source": raised, "triaged": triaged, "sink": copied, "database": f"routed_{run}"}),
        ]
        return self._between(raised, copied, hops, copies_of)

    def _topics(self, name: str) -> list[str]:
        """Three, with as many partitions as the services' own."""
        return self._ground.topics([f"{name}.{number}" for number in range(3)], INTAKE.partitions)

    def _between(self, source: str, sink: str, hops: Hops, becomes: Callable[[Loaded], Sequence[Loaded]]) -> Sample:
        """Facts from a producer, through processes of the benchmark's own; `becomes` says what must come of each."""
        records = self._facts
        producer = KafkaProducer(**self._ground.login, acks="all", enable_idempotence=True, linger_ms=0)
        try:
            with self._run(hops):

                def send(number: int) -> Any:
                    record = records[number]
                    return Sent(record.key, producer.send(source, record.value, key=record.key))

                def wrong(keys: Sequence[bytes], found: Sequence[Any]) -> str:
                    made = [one for sent in records[: len(keys)] for one in becomes(sent)]
                    expected = Counter(forwarded(sink, one, INTAKE.partitions) for one in made)
                    return differs(expected, Counter(map(as_it_is, found)))

                return self._measured(source, [sink], send, wrong)
        except ArmEnded as ended:
            return Sample(void=str(ended))
        finally:
            producer.close(timeout=5)

    @contextmanager
    def _run(self, hops: Hops) -> Iterator[None]:
        with ExitStack() as started:
            for number, (arm, told) in enumerate(hops):
                settings = {**self._ground.settings, "group": f"bench-{arm}-{number}-{uuid.uuid4().hex[:6]}", **told}
                started.enter_context(running(arm, settings, self._ground.logs()))
            yield

    def _measured(self, source: str, sinks: Sequence[str], send: Send, wrong: Wrong) -> Sample:
        self._ground.stamped_by_broker([source, *sinks])
        since = self._ground.ends([source, *sinks])
        first = self._first(sinks, since, send)
        if first is None:
            return Sample(void=f"the first did not arrive within {FIRST_SECONDS:.0f} s")
        warm, count = int(WARM_SECONDS * self._rate), int(self._seconds * self._rate)
        began = sent_at = time.monotonic()
        calls = []
        for number in range(warm + count):
            due = began + number / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
            calls.append(send(number + 1))
            sent_at = time.monotonic()
        if sent_at - began > (warm + count) / self._rate / 0.99:
            return Sample(void=f"sent {(warm + count) / (sent_at - began):.0f} a second, not {self._rate:.0f}")
        keys = [call.result() for call in calls]
        arrived = self._arrived(sinks, since, keys)
        void = wrong([first, *keys], arrived)
        return Sample(void=void) if void else self._timed(source, since, arrived, keys[warm:])

    def _first(self, sinks: Sequence[str], since: Places, send: Send) -> bytes | None:
        """Send one, so that everything is connected; its key, or None where it did not arrive."""
        key: bytes = send(0).result()
        before = {place: end for place, end in since.items() if place[0] in sinks}
        deadline = time.monotonic() + FIRST_SECONDS
        while self._ground.ends(sinks) == before:
            if time.monotonic() > deadline:
                return None
            time.sleep(LOOK_EVERY)
        return key

    def _arrived(self, sinks: Sequence[str], since: Places, keys: Sequence[bytes]) -> list[Any]:
        """All that lies on the sinks once each key has come and nothing more does; or when time is up."""
        wanted, places = set(keys), {place: end for place, end in since.items() if place[0] in sinks}
        deadline = time.monotonic() + ARRIVES_SECONDS
        found: list[Any] = []
        while True:
            time.sleep(STILL_SECONDS)  # first of all: to read them takes a core from what is still on its way
            before, found = len(found), self._ground.records(places)
            still = len(found) == before and wanted <= {record.key for record in found}
            if still or time.monotonic() > deadline:
                return found

    def _timed(self, source: str, since: Places, found: Sequence[Any], measured: Sequence[bytes]) -> Sample:
        sent = self._ground.records({place: end for place, end in since.items() if place[0] == source})
        began, arrived = times(sent), times(found)
        missing = len(set(measured) - (began.keys() & arrived.keys()))
        if missing:
            return Sample(void=f"{missing} of {len(measured)} never arrived")
        rate = carried([arrived[key] for key in measured])
        if rate < CARRIED * self._rate:
            return Sample(void=f"carried {rate:.0f} a second of {self._rate:.0f}", per_second=rate)
        # The broker's times are whole milliseconds: what took less took one.
        cuts = tuple(max(1.0, cut) for cut in quantiles([arrived[key] - began[key] for key in measured], n=100))
        return Sample(per_second=rate, p50=cuts[49], p99=cuts[98], cuts=cuts)

    def _copies_wrong(self, keys: Sequence[bytes], found: Sequence[Any]) -> str:
        """Copies are encrypted anew for each referral: not their bytes are compared but their number and kind."""
        alike = {key: number % len(self._concerns) for number, key in enumerate(keys)}
        copies = [(record, PartnerRecord.FromString(record.value)) for record in found]
        return uneven(
            alike,
            [
                (copy.referral_id.encode(), copy.event_id, (record.topic, record.key == copy.referral_id.encode()))
                for record, copy in copies
            ],
        )

    # -- what is sent ----------------------------------------------------------------------------------------------

    @cached_property
    def _facts(self) -> list[Loaded]:
        """Facts that triage routes by itself, each of a referral of its own."""
        wanted = int((WARM_SECONDS + self._seconds) * self._rate) + 1
        routed = []
        for record in raised_facts(20 * wanted):
            if any(fact.HasField("routed") for fact in decided(record)):
                routed.append(record)
            if len(routed) == wanted:
                break
        return routed

    @cached_property
    def _partner_topics(self) -> list[str]:
        stack = self._ground.stack
        agreed = partners_of(environments.AREAS / stack.area)
        partners.add(stack, agreed)
        return [partner_topic(each.id).name for each in agreed if each.kafka]

    @cached_property
    def _officer(self) -> TlsFiles:
        home = self._ground.stack.home
        directory.write(home, "officer", "bench-latency", {"name": "Bench", "kind": "response_officer"})
        files = authority.ensure(home).issue("officer", "bench-latency")
        return TlsFiles(files.certificate, files.key, files.authority)

    @cached_property
    def _concerns(self) -> list[Concern]:
        """Those of which one partner reads on Kafka; their people are nobody, so that no two referrals are linked."""
        reading = set(self._partner_topics)
        found = []
        for stated in concerns():
            if sum(partner_topic(each).name in reading for each in stated.partners) == 1:
                concern = Concern.FromString(stated.concern.SerializeToString())
                for subject in concern.subjects:
                    subject.ClearField("identity")
                    subject.ClearField("identifiers")
                    subject.ClearField("contact")
                concern.ClearField("place")
                concern.ClearField("vehicle")
                found.append(concern)
        return found
