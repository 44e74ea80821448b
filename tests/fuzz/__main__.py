"""`make fuzz CASES=… SEED=…`: hostile input until a number of cases is done; exit status 1 on any defect."""

from __future__ import annotations

import argparse
import gc
import io
import random
import resource
import secrets
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from services.chassis import logs
from tests.fuzz.decoders import decoders, of_files, somewhere
from tests.fuzz.mutating import Dice
from tests.fuzz.world import World

CALLS, RECORDS, FILES = 0.28, 0.10, 0.01
"""Shares of the cases: calls of RPCs, records to deciders, and files; all others go to the other decoders."""
MOST_GROWTH = 50
"""MiB by which resident memory may grow, from the end of the first tenth of the cases to the end of the last."""
MOST_SHOWN = 10
SHOW_EVERY = 60.0


def say(line: str) -> None:
    """To whoever watches, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run as the command line says."""
    wanted = _arguments()
    logs.configure("fuzz", "CRITICAL", io.StringIO())
    folder = somewhere()
    try:
        return Run(folder, wanted.seed, wanted.cases).run(wanted.only)
    finally:
        shutil.rmtree(folder)


class Run:
    """Case n of a seed is always the same, but for what the cases before it left on the stage."""

    def __init__(self, folder: Path, seed: int, cases: int) -> None:
        self._seed = seed
        self._cases = cases
        self._world = World(folder)
        for name in ("decoders", "files"):
            (folder / name).mkdir()
        self._decoders = decoders(folder / "decoders", self._world.records)
        self._files = of_files(folder / "files")
        self._ends: dict[str, Counter[str]] = {}
        self._defects: Counter[str] = Counter()

    def run(self, only: int | None = None) -> int:
        """All cases, or one with the forty before it, which share its stage."""
        numbers = range(self._cases) if only is None else range(max(0, only - World.EVERY), only + 1)
        began, shown = time.monotonic(), time.monotonic()
        at_first = _resident()
        for number in numbers:
            self._case(number)
            if number == self._cases // 10:
                gc.collect()
                at_first = _resident()
            if time.monotonic() - shown > SHOW_EVERY:
                shown = time.monotonic()
                say(f"  {number} cases in {shown - began:.0f} s, {sum(self._defects.values())} defects")
        gc.collect()
        return self._conclude(len(numbers), max(0.0, _resident() - at_first))

    def _case(self, number: int) -> None:
        dice = random.Random(f"{self._seed}/{number}")
        kind, once = self._chosen(dice)
        try:
            self._ends.setdefault(kind, Counter())[once(dice)] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            self._defect(number, kind, error)
            self._world.back()

    def _chosen(self, dice: Dice) -> tuple[str, Callable[[Dice], str]]:
        share = dice.random()
        if share < CALLS:
            return "call", self._world.call
        if share < CALLS + RECORDS:
            return "record", self._world.fact
        decoder = dice.choice(self._files if share > 1 - FILES else self._decoders)
        return decoder.name, decoder.once

    def _defect(self, number: int, kind: str, error: Exception) -> None:
        cause = error.__cause__ or error
        place = traceback.extract_tb(cause.__traceback__)[-1]
        known = (
            f"{kind}: {type(error).__name__} by {type(cause).__name__} at {Path(place.filename).name}:{place.lineno}"
        )
        self._defects[known] += 1
        if self._defects[known] == 1 and len(self._defects) <= MOST_SHOWN:
            say(f"  WRONG: case {number} (--seed {self._seed} --only {number}), {known}: {error}")
            for line in traceback.format_exception(cause)[-4:]:
                say(f"    {line.rstrip()}")

    def _conclude(self, cases: int, grown: float) -> int:
        for kind, ends in sorted(self._ends.items()):
            say(f"  {kind}: {dict(sorted(ends.items()))}")
        for known, count in self._defects.most_common():
            say(f"  {count} times {known}")
        seconds = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        say(
            f"fuzz: seed {self._seed}, {cases} cases, {sum(self._defects.values())} defects of {len(self._defects)} "
            f"kinds, memory grew by {grown:.1f} MiB, {seconds:.0f} CPU-seconds"
        )
        return 1 if self._defects or grown >= MOST_GROWTH else 0


def _resident() -> float:
    """MiB in memory now."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10  # elsewhere: the most there ever was


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the same seed gives the same cases")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--only", type=int, default=None, help="this case alone, after those that set its stage")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
