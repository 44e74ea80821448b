"""Row 7: twice as many calls as can be answered; what is let in is answered as well as ever, danger first."""

from __future__ import annotations

from functools import partial
from statistics import quantiles

from services.chassis.grpc_client import TlsFiles
from services.cli.local import authority, directory
from tests.performance.calling import Desk
from tests.performance.crowd import DANGER_EVERY, Driver, latencies, why_void
from tests.performance.ground import Ground
from tests.performance.process import Arm, ArmEnded, Usage
from tests.performance.result import Claim, Contest, Sample

IN_FLIGHT = 64
CALLERS = 48
"""People, each with a connection of their own: no house has one caller who raises a thousand concerns a second."""
WARM_SECONDS = 3.0
"""Longer than many may come at once (services/chassis/admission.py): what stands thereafter is overload."""
GUESSED = 1_500.0
"""Calls a second, by which the number of calls is chosen of which capacity is measured."""


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
        warm, calls = int(GUESSED * WARM_SECONDS), int(GUESSED * self._seconds)
        requests = self._bytes(warm + calls)
        try:
            with self._opened("intake_real", self.sink) as (process, _):
                before = _Before(process)
                outcomes = self._driver().flight(requests, warm, IN_FLIGHT, before)
                used = process.usage()
        except ArmEnded as ended:
            return Sample(void=str(ended))
        wrong = sorted({outcome.code for outcome in outcomes} - {"OK", "ResourceExhausted"})
        if wrong:
            return Sample(void=f"answered {', '.join(wrong)}")
        answered = len(latencies(outcomes))
        self._capacity = answered / (outcomes[-1].ended - outcomes[0].due) * 1_000
        return Sample(answered / max(0.01, used.cpu - before.usage.cpu), self._capacity, used.memory)

    def paced(self, share: float) -> Sample:
        """Calls that are due at a share of capacity."""
        if not self._capacity:
            self.capacity()
        rate = share * self._capacity
        warm = int(rate * WARM_SECONDS)
        requests = self._bytes(warm + int(rate * self._seconds))
        try:
            with self._opened("intake_real", self.sink) as (process, _):
                before = _Before(process)
                outcomes = self._driver().paced(requests, warm, rate, before)
                used = process.usage()
        except ArmEnded as ended:
            return Sample(void=str(ended))
        void, answered = why_void(outcomes, rate, warm), latencies(outcomes)
        if void or len(answered) < 2:
            return Sample(void=void or "nothing was answered")
        cuts = tuple(quantiles(answered, n=100))
        return Sample(
            len(answered) / max(0.01, used.cpu - before.usage.cpu),
            len(answered) * rate / len(outcomes),
            used.memory,
            cuts[49],
            cuts[98],
            cuts,
        )

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


def _caller(ground: Ground, number: int) -> TlsFiles:
    home, name = ground.stack.home, f"bench-{number}"
    directory.write(home, "officer", name, {"name": "Bench", "kind": "response_officer"})
    issued = authority.ensure(home).issue("officer", name)
    return TlsFiles(issued.certificate, issued.key, issued.authority)
