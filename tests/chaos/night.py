"""`make chaos-night`: every harness at full size, one after the other, for hours; one that fails keeps none back."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.cli.local.home import CHECKOUT
from tests.chaos.__main__ import say

PYTHON = sys.executable


class Part(NamedTuple):
    """One harness at full size."""

    name: str
    command: Sequence[str]
    environment: Sequence[str] = ()
    """Settings in the form of NAME=value."""


def parts(seed: int) -> list[Part]:
    """All of it, in the order in which it runs: what takes longest comes last, so that the morning knows the most."""
    seeded = ("--seed", str(seed))
    chaos = (PYTHON, "-m", "tests.chaos", *seeded)
    log = (f"tests/{file}" for file in _OF_THE_LOG)
    return [
        Part("storm", (PYTHON, "-m", "tests.chaos.storm", *seeded)),
        Part("fair", (PYTHON, "-m", "tests.chaos.fairness")),
        Part("log", (PYTHON, "-m", "pytest", "-n0", *log), ("KILLS=200", "TAMPERINGS=1000")),
        Part("clocks", (*chaos, "--referrals", "2000", "--faults", "40", "--clocks")),
        Part("three", (*chaos, "--referrals", "5000", "--faults", "100", "--brokers", "3")),
        Part("wired", (*chaos, "--referrals", "20000", "--faults", "500", "--wired", "--injected", "1000")),
        Part("kills", (*chaos, "--referrals", "100000", "--faults", "240")),
        Part("fuzz", (PYTHON, "-m", "tests.fuzz", *seeded, "--cases", "10000000")),
    ]


_OF_THE_LOG = (
    "integration/audit/test_kills.py",
    "integration/audit_log/test_auditor.py",
    "unit/audit/log/test_verify.py",
)


def run_all(parts: Sequence[Part], run: Callable[[Part], int], say: Callable[[str], None]) -> int:
    """Run each, whatever became of those before it; 1 where any failed."""
    ended: dict[str, int] = {}
    for part in parts:
        say(f"night: {part.name} begins")
        began = time.monotonic()
        ended[part.name] = run(part)
        say(f"night: {part.name} ended with status {ended[part.name]} after {time.monotonic() - began:.0f} s")
    failed = [name for name, status in ended.items() if status]
    said = f"{len(failed)} failed: {', '.join(failed)}" if failed else "all ended well"
    say(f"night: {len(ended)} parts, {said}")
    return 1 if failed else 0


def _run(part: Part) -> int:
    environment = os.environ | dict(setting.split("=", 1) for setting in part.environment)
    with subprocess.Popen(part.command, cwd=CHECKOUT, env=environment) as running:
        try:
            return running.wait()
        except BaseException:
            running.terminate()  # it takes its stack and its disks away
            raise


def main() -> int:
    """Run as the command line says; exit status 1 where any part failed."""
    parser = argparse.ArgumentParser(prog="chaos-night", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of every part")
    parser.add_argument("--only", nargs="*", default=None, metavar="PART", help="these parts alone")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    every = parts(wanted.seed)
    unknown = set(wanted.only or ()) - {part.name for part in every}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(part.name for part in every)}")
    say(f"night: seed {wanted.seed}")
    return run_all([part for part in every if wanted.only is None or part.name in wanted.only], _run, say)


if __name__ == "__main__":
    sys.exit(main())
