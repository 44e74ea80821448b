"""`make chaos-storm`: clients that repeat each submission ten times at once and later, while intake and the store die.

One referral a key, the same answer to every repeat, and no other body under a key that was answered.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from services.cli.local.stack import Stack
from tests.chaos import topics
from tests.chaos.__main__ import say
from tests.chaos.clients import Channels, Clients
from tests.chaos.ledger import Ledger, Submission
from tests.chaos.load import concerns

CLIENTS = 32
TOGETHER = 250
"""Submissions whose repeats come in one crowd, in any order."""
STRUCK = ("intake", "mongo", "kafka")
"""Killed in turn."""


class Counted:
    """Hands out work to many threads, and lets one wait until so much was handed out."""

    def __init__(self, work: Iterator[Submission]) -> None:
        self._work = work
        self._count = 0
        self._over = False
        self._changed = threading.Condition()

    def take(self) -> Submission | None:
        """The next piece; None when there is no more."""
        with self._changed:
            taken = next(self._work, None)
            self._over |= taken is None
            self._count += 1
            self._changed.notify_all()
            return taken

    def stop(self) -> None:
        """Hand out no more."""
        with self._changed:
            self._work, self._over = iter(()), True
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Return when so many were taken, or there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._count >= count)


def crowd(submissions: Sequence[Submission], times: int, dice: random.Random) -> Iterator[Submission]:
    """Each submission so many times; those that stand together come in any order."""
    for start in range(0, len(submissions), TOGETHER):
        together = [each for each in submissions[start : start + TOGETHER] for _ in range(times)]
        dice.shuffle(together)
        yield from together


class Storm:
    """Clients who repeat themselves, and a ledger of what they were told."""

    def __init__(self, channels: Channels) -> None:
        self.ledger = Ledger()
        self.clients = Clients(channels, self.ledger, threading.Event())

    def raise_all(self, counted: Counted, threads: ThreadPoolExecutor) -> list[Callable[[], None]]:
        """Begin; what is returned waits for each client, and raises what broke it."""
        return [threads.submit(self._each, counted, self.clients.raise_one).result for _ in range(CLIENTS)]

    def alter_all(self, counted: Counted, threads: ThreadPoolExecutor) -> list[Callable[[], None]]:
        """The same keys with another body: each must be refused as that."""
        return [threads.submit(self._each, counted, self.clients.alter).result for _ in range(CLIENTS)]

    def _each(self, counted: Counted, once: Callable[[Submission], object]) -> None:
        try:
            while (submission := counted.take()) is not None:
                once(submission)
        except BaseException:
            counted.stop()  # whoever waits for it hears what broke, instead of waiting for ever
            raise


def main() -> int:
    """Run as the command line says; exit status 1 where anything is wrong."""
    wanted = _arguments()
    dice = random.Random(f"storm {wanted.seed}")
    # Partners would have to be made first, with their keys and topics: nothing is routed here.
    among = [stated for stated in concerns() if stated.raiser.role != ROLE_PARTNER]
    submissions = [
        Submission(f"storm-{wanted.seed:06d}-{number:06d}", dice.choice(among)) for number in range(wanted.submissions)
    ]
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        stack = Stack(Path(folder), ends_with=os.getpid())
        channels = Channels(stack, stack.address)
        try:
            stack.start(["kafka", "mongo", "intake"], progress=say)
            return _run(stack, Storm(channels), submissions, wanted, dice)
        finally:
            channels.close()
            stack.stop()


def _run(
    stack: Stack, storm: Storm, submissions: Sequence[Submission], wanted: argparse.Namespace, dice: random.Random
) -> int:
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as threads:
        counted = Counted(crowd(submissions, wanted.times, dice))
        waiting = storm.raise_all(counted, threads)
        calls = len(submissions) * wanted.times
        for number in range(wanted.kills):
            counted.wait_for(int(calls * (number + 0.5) / wanted.kills))
            struck = STRUCK[number % len(STRUCK)]
            stack.wait_ready([struck])
            stack.kill(struck)
            say(f"  {time.monotonic() - began:6.1f} s: killed {struck}")
        for wait in waiting:
            wait()
        say(f"  {time.monotonic() - began:6.1f} s: {storm.ledger.count} acknowledged; the same keys with other bodies")
        for wait in storm.alter_all(Counted(iter(submissions)), threads):
            wait()
    say(f"  {time.monotonic() - began:6.1f} s: reading the topics")
    facts = topics.facts(stack)
    ids = storm.ledger.ids
    wrong = [
        *storm.ledger.troubles,
        *facts.duplicated[:20],
        *facts.out_of_order[:20],
        *(f"referral {each} was acknowledged and never raised" for each in sorted(ids - facts.referrals)[:20]),
        *(f"referral {each} was raised, and no client was told of it" for each in sorted(facts.referrals - ids)[:20]),
    ]
    if len(ids) != len(submissions):
        wrong.append(f"{len(submissions)} keys have {len(ids)} referrals")
    for line in wrong:
        say(f"  WRONG: {line}")
    say(
        f"storm: seed {wanted.seed}, {len(submissions)} keys, {wanted.times} calls each and one with another body, "
        f"{wanted.kills} kills, {len(facts.referrals)} referrals, {facts.repeated} facts repeated, clients met "
        f"{dict(sorted(storm.clients.codes.items()))}, {len(wrong)} things are wrong"
    )
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the same seed gives the same order")
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=10, help="how often each is sent")
    parser.add_argument("--kills", type=int, default=6)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
