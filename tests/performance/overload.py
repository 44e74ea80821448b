"""Row 7: twice as many calls as can be answered; what is let in is answered as well as ever, danger first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from queue import SimpleQueue
from statistics import quantiles
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.performance.calling import CALL_SECONDS, Desk
from tests.performance.ground import Ground
from tests.performance.process import ArmEnded
from tests.performance.result import Claim, Contest, Sample

IN_FLIGHT = 64
WARM_SECONDS = 3.0
"""Longer than many may come at once (services/chassis/admission.py): what stands thereafter is overload."""
DANGER_EVERY = 10
RAISE_CONCERN = "/safeguarding.v1.Intake/RaiseConcern"
MILLISECONDS = 1_000


def at_twice_capacity(ground: Ground, seconds: float) -> Contest:
    """Row 7."""
    crowd = Crowd(ground, seconds)
    return Contest(
        "overload",
        f"{seconds:.0f} s of RaiseConcern at intake: {IN_FLIGHT} in flight; then open loop, latency from when a call"
        f" is due, at 0.7 and at 2 times what that gave; one in {DANGER_EVERY} says that someone is in danger now",
        {
            "capacity": crowd.capacity,
            "at 70%": partial(crowd.paced, 0.7),
            "at 200%": partial(crowd.paced, 2.0),
        },
        [
            Claim("7.goodput", "answered at twice capacity to capacity", "at 200%", "capacity", 0.95, "per_second"),
            Claim("7.p99", "p99 of what is let in to that at 70%", "at 200%", "at 70%", 2, "p99", "at most"),
        ],
    )


class Crowd(Desk):
    """Callers who do not wait for each other."""

    def __init__(self, ground: Ground, seconds: float) -> None:
        super().__init__(ground)
        self._seconds = seconds
        self._capacity = 0.0

    def capacity(self) -> Sample:
        """So many in flight for so long."""
        try:
            with self._serving("intake_real", self.sink) as (process, stub):
                self._flight(stub, WARM_SECONDS)
                before, began = process.usage(), time.monotonic()
                calls = self._flight(stub, self._seconds)
                used, seconds = process.usage(), time.monotonic() - began
        except ArmEnded as ended:
            return Sample(void=str(ended))
        self._capacity = calls / seconds
        return Sample(calls / max(0.01, used.cpu - before.cpu), self._capacity, used.memory)

    def paced(self, share: float) -> Sample:
        """Calls that are due at a share of capacity."""
        if not self._capacity:
            self.capacity()
        rate = share * self._capacity
        try:
            with self._opened("intake_real", self.sink) as (process, opened):
                # As bytes, made before: the driver must not take the time that it measures from the service beside it.
                raise_concern: Any = opened.unary_unary(RAISE_CONCERN)
                Paced(raise_concern, self._due(rate, WARM_SECONDS), rate).play()
                due = self._due(rate, self._seconds)
                before, paced = process.usage(), Paced(raise_concern, due, rate)
                void = paced.play()
                used = process.usage()
        except ArmEnded as ended:
            return Sample(void=str(ended))
        answered = len(paced.latencies)
        if void or answered < 2:
            return Sample(void=void or "nothing was answered")
        cuts = tuple(cut * MILLISECONDS for cut in quantiles(paced.latencies, n=100))
        return Sample(
            answered / max(0.01, used.cpu - before.cpu),
            answered / paced.seconds,
            used.memory,
            cuts[49],
            cuts[98],
            cuts,
        )

    def _flight(self, stub: Any, seconds: float) -> int:
        until, calls = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            calls += len(self._call(stub, self._requests(2 * IN_FLIGHT)))
        return calls

    def _due(self, rate: float, seconds: float) -> list[bytes]:
        requests = self._requests(int(rate * seconds))
        for number, request in enumerate(requests):
            request.concern.signs.immediate_danger = number % DANGER_EVERY == 0
        return [request.SerializeToString() for request in requests]


class Paced:
    """One open loop: every call is sent when it is due, whatever became of those before it.

    What became of each is looked at when all have ended: until then the driver only notes when they did.
    """

    def __init__(self, raise_concern: Any, requests: Sequence[bytes], rate: float) -> None:
        """`raise_concern` takes bytes; of the requests, every DANGER_EVERYth says that someone is in danger."""
        self._raise, self._requests, self._rate = raise_concern, requests, rate
        self._ended: SimpleQueue[tuple[int, float, Any]] = SimpleQueue()
        self.latencies: list[float] = []
        """Of what was answered well."""
        self.seconds = 0.0

    def play(self) -> str:
        """Send all and wait for every answer; why the run does not count, or nothing."""
        began = sent = time.monotonic()
        for number, request in enumerate(self._requests):
            due = began + number / self._rate
            early = due - time.monotonic()
            if early > 0:
                time.sleep(early)
            self._raise.future(request, timeout=CALL_SECONDS).add_done_callback(partial(self._done, number))
            sent = time.monotonic()
        ended = [self._ended.get() for _ in self._requests]
        self.seconds = len(self._requests) / self._rate
        codes = Counter(self._became(began, *one) for one in ended)
        if sent - began > self.seconds / 0.99:
            return f"sent at {len(self._requests) / (sent - began):.0f} a second, not at {self._rate:.0f}"
        wrong = {code: count for code, count in codes.items() if code not in ("OK", "refused")}
        return f"answered {wrong}" if wrong else ""

    def _done(self, number: int, call: Any) -> None:
        self._ended.put((number, time.monotonic(), call))

    def _became(self, began: float, number: int, ended: float, call: Any) -> str:
        code = call.code()
        if code is grpc.StatusCode.OK:
            self.latencies.append(ended - began - number / self._rate)
            return "OK"
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _says_when(call):
            return "refused" if number % DANGER_EVERY else "refused although someone is in danger"
        return f"{code.name}: {call.details()}"


def _says_when(call: Any) -> bool:
    """Whether a refusal says when to return."""
    status = rpc_status.from_call(call)
    return status is not None and any(each.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for each in status.details)
