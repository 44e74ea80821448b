"""`make chaos-fair`: one sender at seven times everyone's load, and what the others feel of it.

Open loop: a call is due when it is due, and its latency counts from there. Rounds with and without the one sender take
turns on one stack, so that a slow machine is slow for both. Nothing stands between callers and service, and both sides
are driven by processes of their own, in Go (tests/performance/callers), so that nobody waits for the harness.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from services.chassis.grpc_client import TlsFiles
from services.cli.local import authority, directory
from services.cli.local.stack import Stack
from tests.chaos.__main__ import say
from tests.chaos.clients import request_of
from tests.chaos.fair import GOAL, TIMES, Round, said, verdict
from tests.chaos.ledger import Submission
from tests.chaos.load import concerns
from tests.performance.crowd import Driver, Outcome, independently

OTHERS = 8
WARM_SECONDS = 3.0
LONGER = 12.0
"""Seconds that the one sender goes on for beyond the others, who connect and warm up meanwhile."""
BEGINS_SECONDS = 60.0


class Side:
    """Callers at a steady rate, each when they will."""

    def __init__(self, stack: Stack, names: Sequence[str], rate: float, run: str) -> None:
        """`run` keeps the keys of runs apart."""
        self._stated = next(stated for stated in concerns() if stated.raiser.role == ROLE_OFFICER)
        self._driver = Driver(stack.address("intake"), [_officer(stack, name) for name in names])
        self._rate, self._run = rate, f"{run}-{names[0]}"
        self._rounds = 0
        self.counts = threading.Event()
        """Set where its present round's warm-up is over."""

    def play(self, seconds: float) -> list[Outcome]:
        """Send for so long, and wait for every answer; what warmed up before is left out."""
        self._rounds += 1
        warm = int(self._rate * WARM_SECONDS)
        keys = (f"fair-{self._run}-{self._rounds}-{n:07d}" for n in range(warm + int(self._rate * seconds)))
        requests = [request_of(Submission(key, self._stated)).SerializeToString() for key in keys]
        due = independently(self._rate, len(requests), f"fair-{self._run}-{self._rounds}")
        return self._driver.paced(requests, warm, due, self.counts.set)[warm:]


def main() -> int:
    """Run as the command line says; exit status 1 where the goal is missed or a round does not count."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory(prefix="fair-") as folder:
        stack = Stack(Path(folder), ends_with=os.getpid())
        try:
            stack.start(["kafka", "mongo", "intake"], progress=say)
            return _compare(stack, wanted)
        finally:
            stack.stop()


def _compare(stack: Stack, wanted: argparse.Namespace) -> int:
    run = secrets.token_hex(3)
    others = Side(stack, [f"pc-fair-{number}" for number in range(OTHERS)], wanted.rate, run)
    one = Side(stack, ["pc-flood"], wanted.rate * TIMES, run)
    one.play(WARM_SECONDS)  # so that the first round is as warm as the last
    rounds: list[Round] = []
    for number in range(wanted.rounds):
        rounds.append(_round(others, one, wanted.rate, wanted.seconds))
        say(f"  {number}: {said(rounds[-1])}")
    ended = verdict(rounds)
    for line in ended.wrong:
        say(f"  WRONG: {line}")
    say(
        f"fair: {wanted.rate:.0f} a second of {OTHERS} others, {TIMES} times as much of one, {wanted.rounds} rounds of "
        f"{wanted.seconds:.0f} s: p99 times {ended.ratio:.2f} ({ended.low:.2f} to {ended.high:.2f}), goal {GOAL}, "
        f"{len(ended.wrong)} things are wrong; load {os.getloadavg()[0]:.1f}"
    )
    return 1 if ended.wrong else 0


def _round(others: Side, one: Side, rate: float, seconds: float) -> Round:
    quiet = others.play(seconds)
    with ThreadPoolExecutor(1) as beside:
        one.counts.clear()
        flood: Future[list[Outcome]] = beside.submit(one.play, seconds + LONGER)
        if not one.counts.wait(BEGINS_SECONDS):
            flood.result()  # says why it did not begin
        loud = others.play(seconds)
        outlasted = not flood.done()
        return Round(rate, quiet, loud, flood.result(), outlasted)


def _officer(stack: Stack, name: str) -> TlsFiles:
    directory.write(stack.home, "officer", name, {"name": name, "kind": "police_officer"})
    issued = authority.ensure(stack.home).issue("officer", name)
    return TlsFiles(issued.certificate, issued.key, issued.authority)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fair", description=__doc__)
    parser.add_argument("--rate", type=float, default=20.0, help="of all others together, a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each round, with the one sender and without")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
