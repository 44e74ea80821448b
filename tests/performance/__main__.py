"""`python -m tests.performance`: runs the contests, prints every ratio, and fails where a claim does not hold."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from services.cli.local.home import CHECKOUT
from tests.performance import (
    disclosing,
    growing,
    hops,
    latency,
    log_rows,
    overload,
    raising,
    rebuilding,
    safeties,
    triaging,
)
from tests.performance.failures import FAILURES, reason
from tests.performance.ground import Ground
from tests.performance.kept import Kept, save
from tests.performance.report import Run, keep, line_of, show, write
from tests.performance.result import QUICK_SHARE, Claim, Contest, Found, Sample

COMMAND = "python -m tests.performance"
Make = Callable[[Ground, "Size"], Contest]


class Size:
    """How much each contest does."""

    def __init__(self, *, quick: bool, night: bool = False) -> None:
        self.rounds = 3 if quick else 5
        self.hop = 15_000 if quick else 100_000
        self.peers = 100_000 if quick else 300_000  # the fastest do 200,000 in a CPU-second, and a JVM warms up
        self.triage = 2_000 if quick else 20_000
        self.calls = 2_000 if quick else 20_000
        self.stream = 5_000 if quick else 50_000
        self.latency = 10.0 if quick else 60.0
        self.overload = 8.0 if quick else 30.0
        self.rebuilt = 4_000 if quick else 20_000
        self.stored = (1_000, 10_000) if quick else (1_000, 10_000, 100_000, *((1_000_000,) if night else ()))
        self.grown = 2_000 if quick else 5_000
        self.log = 60_000 if quick else 300_000
        self.log_many = 100_000 if quick else 1_000_000
        self.log_sequenced = 20_000 if quick else 100_000
        self.log_waits = 20_000 if quick else 100_000
        self.log_seconds = 4 if quick else 20


ROWS: dict[str, Make] = {
    "1": lambda ground, size: hops.stock(ground, size.hop),
    "2": lambda ground, size: hops.peers(ground, size.peers),
    "3": lambda ground, size: triaging.beside_usual(ground, size.triage),
    "4": lambda ground, size: raising.unary(ground, size.calls),
    "5": lambda ground, size: raising.stream(ground, size.stream),
    "6": lambda ground, size: latency.to_partner(ground, "6", 200, size.latency),
    "6s": lambda ground, size: latency.to_partner(ground, "6s", 20, size.latency),
    "6u": lambda ground, size: latency.beside_usual(ground, size.latency),
    "7": lambda ground, size: overload.at_twice_capacity(ground, size.overload),
    "8": lambda ground, size: safeties.on_the_hop(ground, size.hop),
    "8.sealing": lambda ground, size: safeties.sealing(ground, size.stream),
    "9": lambda ground, size: triaging.grown(ground, size.stored, size.grown),
    "9.intake": lambda ground, size: growing.intake(ground, size.stored, size.grown),
    "9.partner-routing": lambda ground, size: disclosing.grown(ground, size.stored, size.grown),
    "10": lambda ground, size: rebuilding.beside_drain(ground, size.rebuilt),
    "11": lambda ground, size: log_rows.saturated(size.log),
    "11w": lambda ground, size: log_rows.checkpointed(size.log_waits),
    "11l": lambda ground, size: log_rows.latency(200, size.log_seconds),
    "11m": lambda ground, size: log_rows.latency(1_000, size.log_seconds),
    "11h": lambda ground, size: log_rows.hashing(size.log),
    "11v": lambda ground, size: log_rows.verifying(size.log_many),
    "11s": lambda ground, size: log_rows.sequencing(ground, size.log_sequenced),
    "11r": lambda ground, size: log_rows.memory(size.log_many),
}
QUICK = ("1", "3", "4", "5")
"""The rows that fit into five minutes."""
NIGHT = ("9", "9.intake", "9.partner-routing")
"""The rows that ask how cost grows."""


def main() -> int:
    """Run what is asked for; the status is 0 where every claim holds what is asked of it."""
    asked = options()
    size = Size(quick=asked.quick, night=asked.night)
    run = Run(
        asked.rows or list(QUICK if asked.quick else NIGHT if asked.night else ROWS),
        asked.rounds or size.rounds,
        asked.quick,
        called(asked),
        whole=asked.page or not (asked.quick or asked.rows or asked.rounds or asked.night),
    )
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    kept: list[Kept] = []
    with Ground() as ground:
        for row in run.rows:
            began, load = datetime.now(UTC), os.getloadavg()[0]
            found = of_row(row, partial(ROWS[row], ground, size), run)
            kept.append(Kept(row, began, load, run.words, run.quick, found))
            for ratio in kept[-1].ratios:
                show(line_of(ratio))
            save(kept[-1], CHECKOUT)
            keep(run, kept)
    write(run, kept, list(ROWS))
    missed = [ratio for one in kept for ratio in one.ratios if not ratio.holds]
    show(
        "\nmissed: " + ", ".join(ratio.claim.id for ratio in missed)
        if missed
        else "\nevery claim holds what is asked of it"
    )
    return 1 if missed else 0


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="small sizes, three rounds, 0.8 of each goal")
    sizes.add_argument("--night", action="store_true", help="row 9 alone, with 1,000,000 stored: a night")
    parser.add_argument("--rows", type=_rows, default=[], help="only these rows, such as 1,3")
    parser.add_argument("--rounds", type=int, default=0, help="so many, and that many must count")
    parser.add_argument(
        "--page",
        action="store_true",
        help="write docs/performance.md of the newest figures of every row, as a whole run does",
    )
    return parser.parse_args(words)


def called(asked: argparse.Namespace) -> str:
    """The command that asks for the same: a target of the Makefile where it does just that."""
    if not asked.rows and not asked.rounds:
        return "make bench-quick" if asked.quick else "make bench-night" if asked.night else "make bench"
    words = [COMMAND] + ["--quick"] * asked.quick + ["--night"] * asked.night
    words += [f"--rows {','.join(asked.rows)}"] * bool(asked.rows) + [f"--rounds {asked.rounds}"] * bool(asked.rounds)
    return " ".join(words)


def _rows(words: str) -> list[str]:
    rows = [row for row in words.split(",") if row]
    if unknown := set(rows) - ROWS.keys():
        raise argparse.ArgumentTypeError(f"no row {', '.join(sorted(unknown))}: there are {', '.join(ROWS)}")
    return rows


def of_row(row: str, make: Callable[[], Contest], run: Run) -> Found:
    """What a row gives. One that cannot even be prepared is one claim that is void."""
    try:
        contest = make()
    except FAILURES as error:
        show(f"row {row} cannot be prepared: {reason(error)}")
        contest = Contest(f"row {row}", "could not be prepared", {}, [Claim(row, "nothing", "", "", 0)])
        return Found(contest, {"preparing": [Sample(void=reason(error))]}, run.rounds)
    return measured(contest, run.rounds, quick=run.quick)


def measured(contest: Contest, rounds: int, *, quick: bool) -> Found:
    """What the rounds give. Where a quick run misses a claim, whose rounds are few, as many again decide with them."""
    found = Found(contest, enough=rounds)
    show(f"{contest.name}: {contest.work}")
    _play(found, range(rounds))
    if quick and not all(ratio.holds for ratio in found.ratios(QUICK_SHARE)):
        show("  missed: as many rounds again")
        _play(found, range(rounds, 2 * rounds))
    return found


def _play(found: Found, rounds: range) -> None:
    """Every arm once a round; which goes first changes with the round. An arm that fails is void, and the rest goes
    on."""
    contest = found.contest
    arms = list(contest.arms)
    for number in rounds:
        for arm in arms[number % len(arms) :] + arms[: number % len(arms)]:
            began = time.monotonic()
            try:
                sample = contest.arms[arm]()
            except FAILURES as error:
                sample = Sample(void=reason(error))
            found.samples.setdefault(arm, []).append(sample)
            said = f"VOID {sample.void}" if sample.void else f"{sample.per_cpu:,.0f}/cpu-s {sample.per_second:,.0f}/s"
            said += f" p50 {sample.p50:.0f} p99 {sample.p99:.0f} ms" if sample.p50 else ""
            show(f"  round {number + 1}  {arm:<28} {said} {sample.memory:.0f} MiB ({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    sys.exit(main())
