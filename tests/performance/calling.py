"""Somebody who raises concerns at an arm, one by one or in a stream, and compares what came of them."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from safeguarding.v1 import intake_pb2
from safeguarding.v1.concern_pb2 import Concern
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.intake_pb2_grpc import IntakeStub
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.partitions import partition_of
from services.cli.local import authority, credentials, directory, environments, plan, ports
from services.cli.local.home import CHECKOUT
from services.cli.scenario import load_scenario
from services.intake.bulk import MOST_OF_A_STREAM
from tests.performance.delivered import What, differs
from tests.performance.ground import PARTITIONS, Ground, Loaded
from tests.performance.hop import LATE, POLL, WARM
from tests.performance.process import Arm, ArmEnded, Usage, running
from tests.performance.result import Sample

IN_FLIGHT = 64
TOGETHER = 100
CALL_SECONDS = 60.0
STARTS_SECONDS = 60.0


def in_clear(place: What, content: Any) -> What:
    """What must be the same of a concern and of the fact it becomes, beside its place. All else is sealed by each arm
    under keys that it makes itself, so that no two write the same bytes."""
    return *place, tuple(content.kinds), content.area, content.anonymous, len(content.subjects)


def stated(record: Loaded) -> What:
    """What must lie on a topic of a fact that intake raised."""
    return in_clear(_place(record.key), IntakeFact.FromString(record.value).raised)


def clear_fact(record: Any) -> What:
    """Of a delivered record, as `stated` expects it."""
    return in_clear((record.partition, record.key), IntakeFact.FromString(record.value).raised)


def clear_concern(record: Any) -> What:
    """The same, of the usual way's record, which is the concern itself."""
    return in_clear((record.partition, record.key), Concern.FromString(record.value))


def _place(key: bytes) -> What:
    return partition_of(key, PARTITIONS), key


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

    def unary(self, arm: str, calls: int, sink: str = "", what: Callable[[Any], What] = clear_fact) -> Sample:
        """One round of calls; `what` reads a record that the arm writes to `sink`, if it writes any."""
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
        if not sink:
            answered = acknowledged == [request.idempotency_key for request in requests]
            return sample if answered else Sample(void="answered otherwise than asked")
        return self._all_compared(sample, _expected(acknowledged, requests), since, what)

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
        if len(raised) != concerns:
            return Sample(void=f"answered {len(raised)} of {concerns}")
        return self._all_compared(sample, _expected([each.referral_id for each in raised], requests), since, clear_fact)

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
        """By key and partition alone, for who does not know which request became which referral."""
        keys = Counter({_place(id.encode()): count for id, count in acknowledged.items()})
        return self._all_compared(sample, keys, since, lambda record: (record.partition, record.key))

    def _all_compared(
        self, sample: Sample, expected: Counter[What], since: Mapping[tuple[str, int], int], what: Callable[[Any], What]
    ) -> Sample:
        wrong = differs(expected, Counter(map(what, self._ground.records(dict(since)))))
        return Sample(void=wrong) if wrong else sample


def _expected(ids: Sequence[str], requests: Sequence[intake_pb2.RaiseConcernRequest]) -> Counter[What]:
    """What must lie on the topic: of each request, in their order, the answer's id and what stays in clear."""
    pairs = zip(ids, requests, strict=True)
    return Counter(in_clear(_place(id.encode()), request.concern) for id, request in pairs)


def _sample(events: int, before: Usage, began: float, process: Arm) -> Sample:
    used = process.usage()
    return Sample(
        events / max(0.001, used.cpu - before.cpu), events / max(0.001, time.monotonic() - began), used.memory
    )


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
