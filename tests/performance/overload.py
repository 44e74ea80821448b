"""Row 7: twice as many calls as can be answered; what is let in is answered as well as ever, danger first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from statistics import quantiles

from safeguarding.v1 import intake_pb2
from services.chassis.grpc_client import TlsFiles
from services.cli.local import authority, directory
from tests.performance.calling import Desk
from tests.performance.crowd import DANGER_EVERY, Driver, Outcome, evenly, latencies, per_second, why_failed, why_void
from tests.performance.ground import Ground
from tests.performance.hop import LATE
from tests.performance.process import Arm, ArmEnded, Usage
from tests.performance.result import Claim, Contest, Sample

IN_FLIGHT = 64
CALLERS = 48
"""People, each with a connection of their own: no house has one caller who raises a thousand concerns a second."""
WARM_SECONDS = 3.0
"""Longer than many may come at once (services/chassis/admission.py): what stands thereafter is overload."""
GUESSED = 1_500.0
"""Calls a second, by which the number of calls is chosen of which capacity is measured."""
MOST_REFUSED = 0.01
"""Of the calls at less than capacity: beyond, their p99 would be that of a lucky few."""

Drive = Callable[[Driver, list[bytes], int, Callable[[], None]], list[Outcome]]


def at_twice_capacity(ground: Ground, seconds: float) -> Contest:
    """Row 7."""
    crowd = Crowd(ground, seconds)
    return Contest(
        "overload",
        f"{seconds:.0f} s of RaiseConcern at intake by {CALLERS} callers, {IN_FLIGHT} in flight; then open loop, from"
        f" when a call is due, at 0.7 and at 2 times what that gave; one in {DANGER_EVERY} says that someone is"
        " in danger now",
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
        self._callers = [_caller(ground, number) for number in range(CALLERS)]

    def capacity(self) -> Sample:
        """So many in flight for so long."""

        def drive(driver: Driver, requests: list[bytes], warm: int, counts: Callable[[], None]) -> list[Outcome]:
            return driver.flight(requests, warm, IN_FLIGHT, counts)

        sample = self._run(GUESSED, drive, lambda outcomes, _: why_failed(outcomes))
        self._capacity = sample.per_second
        return replace(sample, p50=0.0, p99=0.0, cuts=())  # who waits for the call before is no measure of waiting

    def paced(self, share: float) -> Sample:
        """Calls that are due at a share of capacity."""
        if not self._capacity and (found := self.capacity()).void:
            return found
        rate = share * self._capacity

        def drive(driver: Driver, requests: list[bytes], warm: int, counts: Callable[[], None]) -> list[Outcome]:
            return driver.paced(requests, warm, evenly(rate, len(requests)), counts)

        most_refused = MOST_REFUSED if share < 1 else 1.0
        return self._run(rate, drive, partial(why_void, rate, most_refused))

    def _run(self, rate: float, drive: Drive, void: Callable[[Sequence[Outcome], int], str]) -> Sample:
        warm, counted = int(rate * WARM_SECONDS), int(rate * self._seconds)
        requests, since = self._bytes(warm + counted), self._ground.ends([self.sink])
        try:
            with self._opened("intake_real", self.sink) as (process, _):
                before = _Before(process)
                outcomes = drive(self._driver(), requests, warm, before)
                used = process.usage()
                time.sleep(LATE)
        except ArmEnded as ended:
            return Sample(void=str(ended))
        why, answered = void(outcomes, warm), latencies(outcomes[warm:])
        if why or len(answered) < 2:
            return Sample(void=why or "nothing was answered")
        cuts = tuple(quantiles(answered, n=100))
        cpu = max(0.01, used.cpu - before.usage.cpu)
        sample = Sample(len(answered) / cpu, per_second(outcomes[warm:]), used.memory, cuts[49], cuts[98], cuts)
        return self._compared(sample, Counter(_raised(outcomes)), since)

    def _driver(self) -> Driver:
        return Driver(self._environment["INTAKE_GRPC_ADDRESS"], self._callers)

    def _bytes(self, count: int) -> list[bytes]:
        requests = self._requests(count)
        for number, request in enumerate(requests):
            request.concern.signs.immediate_danger = number % DANGER_EVERY == 0
        return [request.SerializeToString() for request in requests]


class _Before:
    """What the service had used when it began to count."""

    def __init__(self, process: Arm) -> None:
        self._process = process
        self.usage = Usage(0.0, 0.0)

    def __call__(self) -> None:
        self.usage = self._process.usage()


def _raised(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if outcome.code == "OK":
            yield intake_pb2.RaiseConcernResponse.FromString(outcome.answer).referral_id


def _caller(ground: Ground, number: int) -> TlsFiles:
    home, name = ground.stack.home, f"bench-{number}"
    directory.write(home, "officer", name, {"name": "Bench", "kind": "response_officer"})
    issued = authority.ensure(home).issue("officer", name)
    return TlsFiles(issued.certificate, issued.key, issued.authority)
