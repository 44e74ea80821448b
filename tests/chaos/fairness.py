"""`make chaos-fair`: one sender at seven times everyone's load, and what the others feel of it.

Open loop: a call is due when it is due, and its latency counts from there. Rounds with and without the one sender take
turns on one stack, so that a slow machine is slow for both. The one sender is a process of its own, so that the others
do not wait for the harness itself.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from safeguarding.v1 import intake_pb2_grpc
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from services.chassis.grpc_client import TlsFiles, channel
from services.cli.local import authority, directory
from services.cli.local.stack import Stack
from tests.chaos.__main__ import say
from tests.chaos.clients import Channels, Who, request_of
from tests.chaos.ledger import Submission
from tests.chaos.load import concerns
from tests.chaos.recovering import percentile
from tests.chaos.wiring import Wiring

GOAL = 1.5
OTHERS = 8
TIMES = 7
CALL_SECONDS = 15.0
WARM_SECONDS = 3.0


class Played(NamedTuple):
    """What a round gave."""

    p99: float
    """Seconds."""
    codes: dict[str, int]


class Round:
    """Calls at a steady rate by several senders, each with a channel of its own."""

    def __init__(self, senders: Mapping[str, grpc.Channel], rate: float, seconds: float, run: str) -> None:
        """`senders`: each one's channel to intake, by name."""
        self._who = list(senders)
        self._stubs = [intake_pb2_grpc.IntakeStub(each) for each in senders.values()]
        self._rate, self._seconds, self._run = rate, seconds, run
        self._stated = next(stated for stated in concerns() if stated.raiser.role == ROLE_OFFICER)
        self.latencies: list[float] = []
        self.codes: Counter[str] = Counter()
        self._left = threading.Semaphore(0)

    def play(self) -> Played:
        """Send all, each at its time, and wait for every answer."""
        began = time.monotonic()
        count = int(self._rate * self._seconds)
        for number in range(count):
            due = began + number / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
            key = f"fair-{self._run}-{self._who[number % len(self._who)]}-{number:06d}"
            request = request_of(Submission(key, self._stated))
            call = self._stubs[number % len(self._stubs)].RaiseConcern.future(request, timeout=CALL_SECONDS)
            call.add_done_callback(partial(self._done, due))
        for _ in range(count):
            self._left.acquire()
        return Played(percentile(self.latencies, 0.99), dict(self.codes))

    def _done(self, due: float, call: Any) -> None:
        self.latencies.append(time.monotonic() - due)
        self.codes[call.code().name] += 1
        self._left.release()


def flood(address: str, tls: TlsFiles, name: str, rate: float, seconds: float, run: str) -> Played:
    """The one sender's round, in its own process."""
    with channel(address, tls) as opened:
        grpc.channel_ready_future(opened).result(CALL_SECONDS)
        return Round({name: opened}, rate, seconds, run).play()


def main() -> int:
    """Run as the command line says; exit status 1 where the goal is missed."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory(prefix="fair-") as folder:
        stack = Stack(Path(folder), ends_with=os.getpid())
        try:
            with Wiring(stack, disks=False) as wiring:
                stack.start(["kafka", "mongo", "intake"], progress=say)
                return _compare(stack, wiring, wanted)
        finally:
            stack.stop()


def _compare(stack: Stack, wiring: Wiring, wanted: argparse.Namespace) -> int:
    channels = Channels(stack, wiring.address)
    names = [f"pc-fair-{number}" for number in range(OTHERS)]
    others = {name: channels.to("intake", _person(stack, name)) for name in names}
    one = _person(stack, "pc-flood")
    Round(others, wanted.rate, WARM_SECONDS, "warm").play()
    alone, beside = [], []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as elsewhere:

        def flooding(rate: float, seconds: float, run: str) -> Future[Played]:
            return elsewhere.submit(flood, wiring.address("intake"), channels.tls(one), one.id, rate, seconds, run)

        flooding(wanted.rate, WARM_SECONDS, "warm").result()
        for number in range(wanted.rounds):
            quiet = Round(others, wanted.rate, wanted.seconds, f"quiet-{number}").play()
            flooded = flooding(wanted.rate * TIMES, wanted.seconds, f"flood-{number}")
            loud = Round(others, wanted.rate, wanted.seconds, f"loud-{number}").play()
            its = flooded.result()
            alone.append(quiet.p99)
            beside.append(loud.p99)
            say(
                f"  {number}: others' p99 {quiet.p99 * 1000:.0f} ms, beside the one sender {loud.p99 * 1000:.0f} ms, "
                f"{loud.codes}; its own {its.p99 * 1000:.0f} ms, {its.codes}"
            )
    channels.close()
    ratios = [loud / quiet for loud, quiet in zip(beside, alone, strict=True)]
    ratio = statistics.median(ratios)
    say(
        f"fair: {wanted.rate:.0f} a second of {OTHERS} others, {TIMES} times as much of one: p99 times {ratio:.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), goal {GOAL}"
    )
    return 0 if ratio <= GOAL else 1


def _person(stack: Stack, name: str) -> Who:
    directory.write(stack.home, "officer", name, {"name": name, "kind": "police_officer"})
    authority.ensure(stack.home).issue("officer", name)
    return Who("officer", name, "police_officer")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fair", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="of all others together, a second")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
