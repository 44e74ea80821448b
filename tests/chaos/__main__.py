"""`make chaos SEED=… REFERRALS=… FAULTS=…`: one run, its verdict in the last line, exit status 1 on any fault."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos import load, schedule, topics
from tests.chaos.faults import Recovery, percentile, strike
from tests.chaos.load import Gate
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
    faults = schedule.planned(wanted.seed, wanted.referrals, wanted.faults)
    say(f"chaos: seed {wanted.seed}, {wanted.referrals} referrals, {wanted.faults} faults")
    for fault in faults:
        say(f"  planned: {fault}")
    if wanted.plan:
        return 0
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, World(Path(folder), progress=say) as world:
        return _run(world, wanted, faults)


def _run(world: World, wanted: argparse.Namespace, faults: list[schedule.Fault]) -> int:
    world.begin()
    work = load.planned(wanted.seed, wanted.referrals)
    gate = Gate(work, wanted.referrals if not faults else 0)
    raisers = world.raise_all(gate)
    began = time.monotonic()
    recoveries: list[Recovery] = []
    for number, fault in enumerate(faults):
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
    facts = topics.facts(world.stack)
    parked = topics.parked(world.stack)
    holes = topics.timeline_holes(world.stack, TIMELINE_SECONDS)
    late = [recovery for recovery in recoveries if not recovery.in_time]
    wrong = [*verdict.said, *facts.duplicated[:20], *facts.out_of_order[:20]]
    wrong += [f"{recovery.fault}: back after {recovery.seconds:.1f} s" for recovery in late]
    wrong += [f"{parked} records were parked"] if parked else []
    wrong += [f"audit lacks {hole}" for hole in holes[:5]]
    unclaimed = facts.referrals - world.ledger.ids
    wrong += [f"intake raised {len(unclaimed)} referrals of which no client was told"] if unclaimed else []
    for line in wrong:
        say(f"  WRONG: {line}")
    seconds = [recovery.seconds for recovery in recoveries]
    say(f"  recovery: median {percentile(seconds, 0.5):.1f} s, 99th percentile {percentile(seconds, 0.99):.1f} s")
    say(f"  clients met {dict(sorted(world.clients.codes.items()))}; {facts.count} facts")
    say(
        f"chaos: seed {wanted.seed}, {len(recoveries)} faults, {verdict.acknowledged} acknowledged, "
        f"{verdict.lost} lost, {verdict.duplicated + len(facts.duplicated) + len(unclaimed)} duplicated, "
        f"{verdict.repeated + facts.repeated} repeated, {verdict.out_of_order + len(facts.out_of_order)} out of order, "
        f"timeline {'complete' if not holes else f'lacks {len(holes)}'}"
    )
    return 1 if wrong else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the same seed gives the same schedule")
    parser.add_argument("--referrals", type=int, default=1500)
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--plan", action="store_true", help="print the schedule and end")
    wanted = parser.parse_args()
    if wanted.seed is None:
        wanted.seed = secrets.randbelow(10**6)
    return wanted


if __name__ == "__main__":
    sys.exit(main())
