"""The ways from intake's topic to a partner's, each played at a rate: our services, relays, and the usual way.

Both ends are the broker's own times of the two records, so that nothing of the driver's is in them; intake acknowledges
a concern when its fact is there. Concerns are sent when they are due, whatever became of those before.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from statistics import quantiles
from typing import Any

from kafka import KafkaProducer

from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import RaiseConcernRequest
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from services.chassis.grpc_client import TlsFiles, channel
from services.cli.demo.people import partners_of
from services.cli.local import authority, directory, environments, partners
from services.topics import INTAKE, partner_topic
from tests.chaos.load import concerns
from tests.performance.ground import Ground, Loaded, Places
from tests.performance.process import ArmEnded, running
from tests.performance.result import Sample
from tests.performance.triaging import decided, environment
from tests.performance.work import raised_facts

CHAIN = ("intake", "triage", "partner-routing")
WARM_SECONDS = 3.0
ARRIVES_SECONDS = 60.0
FIRST_SECONDS = 60.0
CALL_SECONDS = 30.0
LOOK_EVERY = 0.1
CARRIED = 0.99
"""Of its rate: a run that carries less is one whose queue grows, and void."""

Hops = Sequence[tuple[str, Mapping[str, Any]]]
"""Arms, and what each is told."""
Send = Callable[[int], Any]
"""Send the concern of this number, without waiting; the answer's `result` gives its key on the topics."""


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

                return self._measured(source, sinks, send)
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
        first, second, last = self._ground.topics([f"bench.relay.{run}.{n}" for n in range(3)])
        kept = [{"database": f"relay_{run}_{n}"} if keep else {} for n in range(2)]
        hops: Hops = [
            ("relay", {"source": first, "sink": second, **kept[0]}),
            ("relay", {"source": second, "sink": last, **kept[1]}),
        ]
        return self._between(first, last, hops)

    def usual(self) -> Sample:
        """Stock agents with one find, one update and one awaited send for each event; nothing is sealed."""
        run = uuid.uuid4().hex[:6]
        raised, triaged, copied = self._ground.topics([f"bench.usual.{run}.{n}" for n in range(3)])
        told = {"environment": {**environment(self._ground), "TRIAGE_MONGO_DATABASE": f"usual_{run}"}}
        hops: Hops = [
            ("triage_usual", {"source": raised, "sinks": [triaged], **told}),
            ("routing_usual", {"source": raised, "triaged": triaged, "sink": copied, "database": f"routed_{run}"}),
        ]
        return self._between(raised, copied, hops)

    def _between(self, source: str, sink: str, hops: Hops) -> Sample:
        """Facts from a producer, through processes of the benchmark's own."""
        records = self._facts
        producer = KafkaProducer(**self._ground.login, acks="all", enable_idempotence=True, linger_ms=0)
        try:
            with self._run(hops):

                def send(number: int) -> Any:
                    record = records[number]
                    return Sent(record.key, producer.send(source, record.value, key=record.key))

                return self._measured(source, [sink], send)
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

    def _measured(self, source: str, sinks: Sequence[str], send: Send) -> Sample:
        self._ground.stamped_by_broker([source, *sinks])
        since = self._ground.ends([source, *sinks])
        if not self._first(sinks, since, send):
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
        keys = {call.result() for call in calls}
        measured = {call.result() for call in calls[warm:]}
        return self._compared(source, sinks, since, keys, measured)

    def _first(self, sinks: Sequence[str], since: Places, send: Send) -> bool:
        """Send one, so that everything is connected; whether it arrived."""
        send(0).result()
        before = {place: end for place, end in since.items() if place[0] in sinks}
        deadline = time.monotonic() + FIRST_SECONDS
        while self._ground.ends(sinks) == before:
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_EVERY)
        return True

    def _compared(
        self, source: str, sinks: Sequence[str], since: Places, keys: set[bytes], measured: set[bytes]
    ) -> Sample:
        deadline = time.monotonic() + ARRIVES_SECONDS
        while True:
            began, arrived = self._times(source, since), self._times(sinks, since)
            if keys <= arrived.keys():
                break
            if time.monotonic() > deadline:
                return Sample(void=f"{len(keys - arrived.keys())} of {len(keys)} never arrived")
            time.sleep(1)
        rate = carried([arrived[key] for key in measured])
        if rate < CARRIED * self._rate:
            return Sample(void=f"carried {rate:.0f} a second of {self._rate:.0f}", per_second=rate)
        # The broker's times are whole milliseconds: what took less took one.
        cuts = tuple(max(1.0, cut) for cut in quantiles([arrived[key] - began[key] for key in measured], n=100))
        return Sample(per_second=rate, p50=cuts[49], p99=cuts[98], cuts=cuts)

    def _times(self, names: str | Sequence[str], since: Places) -> dict[bytes, int]:
        """Milliseconds, by key; of several records of a key the first."""
        found: dict[bytes, int] = {}
        for record in self._ground.records({place: end for place, end in since.items() if place[0] in names}):
            found.setdefault(record.key, record.timestamp)
        return found

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


def carried(times: Sequence[int]) -> float:
    """How many arrived a second, by milliseconds: from the first tenth to the last, which outliers move little."""
    ordered = sorted(times)
    first, last = len(ordered) // 10, len(ordered) * 9 // 10
    return 1_000 * (last - first) / max(1, ordered[last] - ordered[first])


class Sent:
    """A record on its way."""

    def __init__(self, key: bytes, future: Any) -> None:
        self._key, self._future = key, future

    def result(self) -> bytes:
        """Its key, once the broker has it."""
        self._future.get(CALL_SECONDS)
        return self._key


class Raised:
    """A call on its way."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def result(self) -> bytes:
        """The key of the referral's records, once it is acknowledged."""
        referral_id: str = self._call.result().referral_id
        return referral_id.encode()
