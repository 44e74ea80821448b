"""Rows 4 and 5: RaiseConcern beside an empty handler and the usual way, RaiseConcerns beside a bare producer."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from safeguarding.v1 import intake_pb2
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from services.chassis.grpc_client import TlsFiles, channel
from services.cli.local import authority, credentials, directory, environments, plan, ports
from services.cli.local.home import CHECKOUT
from services.cli.scenario import load_scenario
from services.intake.bulk import MOST_OF_A_STREAM
from tests.performance.ground import Ground
from tests.performance.hop import LATE, POLL, WARM, Hop
from tests.performance.process import Arm, ArmEnded, Usage, running
from tests.performance.result import Claim, Contest, Sample
from tests.performance.work import raised_facts

IN_FLIGHT = 64
TOGETHER = 100
CALL_SECONDS = 60.0
STARTS_SECONDS = 60.0
LIMIT, PRODUCER = "limit: nothing but what must be", "floor: bare producer"
UNARY_WHY = (
    "of some 335 µs a call, the thread on which gRPC serves takes 167 (51 of it sealing and match keys; the rest gRPC,"
    " field rules, the request's HMAC, identity and directory), the engine's 75, the one that answers 34, the publisher"
    " 29, gRPC's own threads 25. The usual way seals nothing, links nothing and refuses no repeat. A bare handler that"
    " does only what a concern cannot do without (4.limit) takes 220 and reaches 2.5 to 3.5 times the usual way: at 3"
    " nothing is left for identity, room, repeats, the referral's state, headers, traces and metrics."
)
STREAM_WHY = (
    "the producer sends bytes that are ready. Of some 155 µs a concern, sealing (seven parts under three keys of its"
    " own, each wrapped) takes 32 and its match keys 19, field rules and HMAC 12, the engine's thread 47, the publisher"
    " 9. A bare handler that does only what a concern cannot do without (5.limit) takes 97 or more, which is 0.10 to"
    " 0.14 of the producer; sealing and match keys alone take as long as four of its records."
)


def unary(ground: Ground, calls: int) -> Contest:
    """Row 4."""
    desk = Desk(ground)
    return Contest(
        "RaiseConcern",
        f"{calls:,} calls, {IN_FLIGHT} in flight, mTLS in all arms; CPU of the serving process",
        {
            "intake": lambda: desk.unary("intake_real", calls, desk.sink),
            "empty handler": lambda: desk.unary("intake_empty", calls, ""),
            "usual way": lambda: desk.unary("intake_usual", calls, desk.usual_sink),
            LIMIT: lambda: desk.unary("intake_limit", calls, desk.limit_sink),
        },
        [
            Claim(
                "4.empty",
                "unary RaiseConcern to an empty handler",
                "intake",
                "empty handler",
                0.4,
                reached=0.3,
                why=UNARY_WHY,
            ),
            Claim(
                "4.usual", "unary RaiseConcern to the usual way", "intake", "usual way", 3, reached=1.6, why=UNARY_WHY
            ),
            Claim("4.limit", "only what a concern cannot do without, to the usual way", LIMIT, "usual way", 0),
        ],
    )


def stream(ground: Ground, concerns: int) -> Contest:
    """Row 5."""
    desk = Desk(ground)
    [sink] = ground.topics(["bench.produced"])
    expected = Counter((record.key,) for record in raised_facts(concerns))
    hop = Hop(ground, "", [sink], concerns, expected, lambda record: (record.key,), extra={"events": concerns})
    return Contest(
        "RaiseConcerns",
        f"{concerns:,} concerns in messages of {TOGETHER}, beside as many facts written by kafka-python's producer",
        {
            "intake": lambda: desk.stream(concerns),
            PRODUCER: lambda: hop.run("produce"),
            LIMIT: lambda: desk.stream(concerns, arm="intake_limit", sink=desk.limit_sink),
        },
        [
            Claim(
                "5",
                "stream RaiseConcerns to kafka-python's own producer",
                "intake",
                PRODUCER,
                0.25,
                reached=0.07,
                why=STREAM_WHY,
            ),
            Claim("5.limit", "only what a concern cannot do without, to the same producer", LIMIT, PRODUCER, 0),
        ],
    )


class Desk:
    """Somebody who raises concerns, and the server that takes them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        run = uuid.uuid4().hex[:6]
        # Each writer has its own: intake refuses to run where its topic is ahead of its store.
        self.sink, self.usual_sink, self.limit_sink, self._source = self._topics = ground.topics(
            [f"bench.calls.{run}", *(f"bench.calls.{run}.{name}" for name in ("usual", "limit", "in"))]
        )
        home = ground.stack.home
        known = ports.remembered(home, plan.PORT_NAMES)
        issuer = authority.ensure(home)
        told = environments.settings(home, known, credentials.load(home), ground.stack.area, issuer, "intake") | {
            "KAFKA_USERNAME": ground.settings["username"],
            "KAFKA_PASSWORD": ground.settings["password"],
            "MONGO_DATABASE": f"intake_{run}",
            "LOG_LEVEL": "WARNING",
        }
        self._environment = {f"INTAKE_{name}": value for name, value in told.items()}
        directory.write(home, "officer", "bench", {"name": "Bench", "kind": "response_officer"})
        officer = issuer.issue("officer", "bench")
        self._tls = TlsFiles(officer.certificate, officer.key, officer.authority)
        self._concerns = [stated.concern for stated in load_scenario(CHECKOUT / "deploy" / "local" / "scenario")]

    def unary(self, arm: str, calls: int, sink: str) -> Sample:
        """One round of calls."""
        since = self._ground.ends([sink]) if sink else {}
        try:
            with self._serving(arm, sink) as (process, stub):
                requests = self._requests(calls)
                warm = int(calls * WARM)
                acknowledged = self._call(stub, requests[:warm])
                before, began = process.usage(), time.monotonic()
                acknowledged += self._call(stub, requests[warm:])
                sample = _sample(calls - warm, before, began, process)
                time.sleep(LATE)
        except ArmEnded as ended:
            return Sample(void=str(ended))
        return self._compared(sample, Counter(acknowledged), since)

    def stream(
        self, concerns: int, without: str = "", warm: int = 0, arm: str = "intake_real", sink: str = ""
    ) -> Sample:
        """One round of a stream; `without` names a safety that is left out, `warm` how many are not measured."""
        sink = sink or self.sink
        since = self._ground.ends([sink])
        try:
            with self._serving(arm, sink, without) as (process, stub), ThreadPoolExecutor(1) as aside:
                requests = self._requests(concerns)
                answer = aside.submit(_streamed, stub, requests)
                while (count := self._count(since)) < (warm or concerns * WARM) and not answer.done():
                    time.sleep(POLL)
                before, began = process.usage(), time.monotonic()
                raised, refused = answer.result()
                sample = _sample(concerns - count, before, began, process)
                time.sleep(LATE)
        except ArmEnded as ended:
            return Sample(void=str(ended))
        if refused:
            return Sample(void=f"{len(refused)} refused: {refused[0].message}")
        return self._compared(sample, Counter(each.referral_id for each in raised), since)

    def forget(self) -> None:
        """Take away what was stored and written, which no later round looks at."""
        self._ground.store.drop_database(self._environment["INTAKE_MONGO_DATABASE"])
        self._ground.admin.delete_topics(self._topics)

    @contextmanager
    def _serving(self, arm: str, sink: str, without: str = "") -> Iterator[tuple[Arm, Any]]:
        with self._opened(arm, sink, without) as (process, opened):
            yield process, IntakeStub(opened)

    @contextmanager
    def _opened(self, arm: str, sink: str, without: str = "") -> Iterator[tuple[Arm, grpc.Channel]]:
        # Picked anew: nothing holds a port between rounds, and others run stacks beside this one.
        picked = ports.pick(["GRPC", "HTTP"])
        self._environment |= {f"INTAKE_{name}_ADDRESS": f"127.0.0.1:{port}" for name, port in picked.items()}
        told = {
            **self._ground.settings,
            "environment": self._environment,
            "source": self._source,
            "sink": sink,
            "without": without,
        }
        address = self._environment["INTAKE_GRPC_ADDRESS"]
        with (
            running(arm, told, self._ground.logs()) as process,
            channel(address, self._tls) as opened,
        ):
            ready = grpc.channel_ready_future(opened)
            deadline = time.monotonic() + STARTS_SECONDS
            while True:
                process.must_live()
                try:
                    ready.result(0.2)
                    break
                except grpc.FutureTimeoutError:
                    if time.monotonic() > deadline:
                        raise ArmEnded(f"did not serve within {STARTS_SECONDS:.0f} s") from None
            yield process, opened

    def _requests(self, count: int) -> list[intake_pb2.RaiseConcernRequest]:
        run = uuid.uuid4().hex
        return [
            intake_pb2.RaiseConcernRequest(
                idempotency_key=f"{run}-{number}", concern=self._concerns[number % len(self._concerns)]
            )
            for number in range(count)
        ]

    def _call(self, stub: Any, requests: Sequence[intake_pb2.RaiseConcernRequest]) -> list[str]:
        free = threading.Semaphore(IN_FLIGHT)
        calls = []
        for request in requests:
            free.acquire()
            call = stub.RaiseConcern.future(request, timeout=CALL_SECONDS)
            call.add_done_callback(lambda _: free.release())
            calls.append(call)
        return [call.result().referral_id for call in calls]

    def _count(self, since: Mapping[tuple[str, int], int]) -> int:
        return sum(self._ground.ends(sorted({topic for topic, _ in since})).values()) - sum(since.values())

    def _compared(self, sample: Sample, acknowledged: Counter[str], since: Mapping[tuple[str, int], int]) -> Sample:
        if not since:
            return sample
        delivered = Counter(record.key.decode() for record in self._ground.records(dict(since)))
        if delivered != acknowledged:
            lost, extra = acknowledged - delivered, delivered - acknowledged
            return Sample(void=f"lost {sum(lost.values())} records, and gave {sum(extra.values())} that it should not")
        return sample


def _sample(events: int, before: Usage, began: float, process: Arm) -> Sample:
    used = process.usage()
    return Sample(events / max(0.01, used.cpu - before.cpu), events / max(0.001, time.monotonic() - began), used.memory)


def _streamed(stub: Any, requests: Sequence[intake_pb2.RaiseConcernRequest]) -> tuple[list[Any], list[Any]]:
    """What was raised, and what was refused."""
    raised: list[Any] = []
    refused: list[Any] = []
    for first in range(0, len(requests), MOST_OF_A_STREAM):
        some = _together(requests[first : first + MOST_OF_A_STREAM])
        response = stub.RaiseConcerns(some, timeout=CALL_SECONDS * 5)
        raised += response.raised
        refused += response.refused
    return raised, refused


def _together(requests: Sequence[intake_pb2.RaiseConcernRequest]) -> Iterator[intake_pb2.RaiseConcernsRequest]:
    for first in range(0, len(requests), TOGETHER):
        yield intake_pb2.RaiseConcernsRequest(concerns=requests[first : first + TOGETHER])
