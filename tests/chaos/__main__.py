"""`make chaos SEED=… REFERRALS=… FAULTS=…`: one run, its verdict in the last line, exit status 1 on any fault."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import clocks, load, schedule
from tests.chaos.concluding import Done, conclude
from tests.chaos.faults import strike
from tests.chaos.load import Gate
from tests.chaos.recovering import Recovery
from tests.chaos.schedule import Kind
from tests.chaos.world import World

SETTLE_SECONDS = 180.0
MOST_NEVER = 3
"""Faults in a row after which the stack did not work again: then no further one is done."""


def say(line: str) -> None:
    """To whoever watches, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run as the command line says."""
    wanted = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack and the disks are taken away
    faults = schedule.planned(
        wanted.seed,
        wanted.referrals,
        wanted.faults,
        wired=wanted.wired,
        brokers=wanted.brokers,
        clocks=wanted.clocks,
        disks=not wanted.without_disks,
    )
    say(f"chaos: seed {wanted.seed}, {wanted.referrals} referrals, {wanted.faults} faults")
    for fault in faults:
        say(f"  planned: {fault}")
    if wanted.plan:
        return 0
    if wanted.clocks:
        try:
            clocks.library()
        except clocks.NoLibrary as missing:
            say(f"chaos: {missing}")
            return 1
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
        World(
            Path(folder),
            wired=wanted.wired,
            brokers=wanted.brokers,
            clocks=wanted.clocks,
            referrals=wanted.referrals,
            progress=say,
        ) as world,
    ):
        return _run(world, wanted, faults)


def _run(world: World, wanted: argparse.Namespace, faults: list[schedule.Fault]) -> int:
    world.begin()
    work = load.planned(wanted.seed, wanted.referrals)
    gate = Gate(work, wanted.referrals if not faults else 0)
    raisers = world.raise_all(gate)
    began = time.monotonic()

    def told(line: str) -> None:
        say(f"  {time.monotonic() - began:6.1f} s: {line}")

    recoveries: list[Recovery] = []
    for number, fault in enumerate(faults):
        if fault.kind is Kind.FULL and not world.wiring.has_disks:
            told(f"{fault}: left out, since this user may mount no small disk")
            continue
        gate.allow(int(wanted.referrals * (number + 1) / len(faults)))
        recoveries.append(strike(world, fault, number, str(wanted.seed)))
        told(str(recoveries[-1]))
        if all(recovery.never for recovery in recoveries[-MOST_NEVER:]) and len(recoveries) >= MOST_NEVER:
            told(f"{MOST_NEVER} faults one after the other were not recovered from: no more is done")
            gate.close()
            break
    gate.allow(wanted.referrals)
    for thread in raisers:
        thread.join()
    told(f"{world.ledger.count} acknowledged; waiting for partners and raisers")
    told("settled" if world.settle(SETTLE_SECONDS) else "not settled")
    done = Done(wanted.seed, len(faults), recoveries, wired=wanted.wired, least_injected=wanted.injected)
    return conclude(world, done, say)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**6), help="the same seed gives the same schedule"
    )
    parser.add_argument("--referrals", type=int, default=1500)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--wired", action="store_true", help="also broken links, full disks, injected failures, poison")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="3: every topic on all, two for a write")
    parser.add_argument("--clocks", action="store_true", help="services' clocks a day ahead and behind (libfaketime)")
    parser.add_argument("--without-disks", action="store_true", help="fill none, where this user may mount none")
    parser.add_argument("--injected", type=int, default=0, help="so many failures must have been injected in all")
    parser.add_argument("--plan", action="store_true", help="print the schedule and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
