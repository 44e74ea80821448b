"""`make chaos SEED=… REFERRALS=… FAULTS=…`: one run, its verdict in the last line, exit status 1 on any fault."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import clocks, load, rebuilding, schedule, topics
from tests.chaos.faults import Recovery, percentile, strike
from tests.chaos.load import Gate
from tests.chaos.schedule import Kind
from tests.chaos.world import World

SETTLE_SECONDS = 180.0
TIMELINE_SECONDS = 90.0


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
        World(Path(folder), wired=wanted.wired, brokers=wanted.brokers, clocks=wanted.clocks, progress=say) as world,
    ):
        return _run(world, wanted, faults)


def _run(world: World, wanted: argparse.Namespace, faults: list[schedule.Fault]) -> int:
    world.begin()
    work = load.planned(wanted.seed, wanted.referrals)
    gate = Gate(work, wanted.referrals if not faults else 0)
    raisers = world.raise_all(gate)
    began = time.monotonic()
    recoveries: list[Recovery] = []
    for number, fault in enumerate(faults):
        if fault.kind is Kind.FULL and not world.wiring.has_disks:
            say(f"  left out, since this user may mount no small disk: {fault}")
            continue
        gate.allow(int(wanted.referrals * (number + 1) / len(faults)))
        recovery = strike(world, fault, number, str(wanted.seed))
        recoveries.append(recovery)
        say(f"  {time.monotonic() - began:6.1f} s: {fault}, back after {recovery.seconds:.1f} s")
    gate.allow(wanted.referrals)
    for thread in raisers:
        thread.join()
    say(f"  {time.monotonic() - began:6.1f} s: {world.ledger.count} acknowledged; waiting for partners and raisers")
    world.settle(SETTLE_SECONDS)
    say(f"  {time.monotonic() - began:6.1f} s: settled")
    return _conclude(world, wanted, recoveries)


def _conclude(world: World, wanted: argparse.Namespace, recoveries: list[Recovery]) -> int:
    verdict = world.ledger.verdict()
    facts = topics.facts(world.stack, world.poison.places)
    late = [recovery for recovery in recoveries if not recovery.in_time]
    wrong = [*verdict.said, *facts.duplicated[:20], *facts.out_of_order[:20]]
    wrong += [f"{recovery.fault}: back after {recovery.seconds:.1f} s" for recovery in late]
    wrong += _poison_trouble(world)
    wrong += [f"audit lacks {hole}" for hole in topics.timeline_holes(world.stack, TIMELINE_SECONDS)[:5]]
    unclaimed = facts.referrals - world.ledger.ids
    wrong += [f"intake raised {len(unclaimed)} referrals of which no client was told"] if unclaimed else []
    codes = dict(sorted(world.clients.codes.items()))
    world.end()
    say("  verifying the log")
    incomplete = rebuilding.log_trouble(world.stack)
    wrong += [f"the log: {incomplete}"] if incomplete else []
    again = ""
    if wanted.wired:
        wrong += rebuilding.differences(world.stack)
        again = rebuilding.log_trouble(world.stack)
        wrong += [f"the log after the rebuilds: {again}"] if again else []
    for line in wrong:
        say(f"  WRONG: {line}")
    seconds = [recovery.seconds for recovery in recoveries]
    say(f"  recovery: median {percentile(seconds, 0.5):.1f} s, 99th percentile {percentile(seconds, 0.99):.1f} s")
    if wanted.wired:
        injected = world.wiring.injected
        poison = world.poison.kinds.total()
        say(f"  {injected.total()} failures injected at {len(injected)} points, {poison} poison records")
    say(f"  clients met {codes}; {facts.count} facts; {len(wrong)} things are wrong")
    say(
        f"chaos: seed {wanted.seed}, {len(recoveries)} faults, {verdict.acknowledged} acknowledged, "
        f"{verdict.lost} lost, {verdict.duplicated + len(facts.duplicated) + len(unclaimed)} duplicated, "
        f"{verdict.repeated + facts.repeated} repeated, {verdict.out_of_order + len(facts.out_of_order)} out of order, "
        f"log {'incomplete' if incomplete or again else 'complete'}"
    )
    return 1 if wrong else 0


def _poison_trouble(world: World) -> list[str]:
    """Where not exactly the poison is parked, or not exactly its replies were refused, each once."""
    parked = topics.parked(world.stack)
    wrong = []
    for service, expected in world.poison.parked.items():
        missing, more = expected - parked[service], parked[service] - expected
        wrong += [f"{service} has not parked {place}" for place in sorted(missing)[:5]]
        wrong += [f"{service} parked {place}, which is no poison" for place in sorted(more)[:5]]
    if world.poison.refusals != world.ledger.refused:
        wrong.append(f"refused replies: {dict(world.ledger.refused)}, not {dict(world.poison.refusals)}")
    return wrong


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
    parser.add_argument("--plan", action="store_true", help="print the schedule and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
