"""`referrals demo` as a person types it: its last line, its exit status, and that it leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.cli.demo import run
from services.cli.local.home import CHECKOUT

pytestmark = pytest.mark.e2e

REFERRALS = str(Path(sys.executable).with_name("referrals"))


def demo(temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with a folder of its own for what is temporary."""
    return subprocess.run(
        [REFERRALS, "demo", *options],
        cwd=CHECKOUT,
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.mark.timeout(180)
def test_sixty_concerns_come_from_raised_to_closed_and_nothing_is_lost(tmp_path: Path) -> None:
    concerns = run.scenario()
    demanded = sum(len(concerns[number % len(concerns)].partners) for number in range(60))

    held = demo(tmp_path)

    last = held.stdout.splitlines()[-1] if held.stdout else held.stderr
    assert last == (
        f"demo: 60 raised, {demanded} demanded, {demanded} received, 60 closed, 0 lost, 0 duplicated, 0 repeated"
    ), held.stdout
    assert held.returncode == 0
    assert list(tmp_path.iterdir()) == [], "a run that was right leaves no home, and so no process in it"


@pytest.mark.timeout(180)
def test_json_is_one_document_that_counts_the_same(tmp_path: Path) -> None:
    held = demo(tmp_path, "--json", "--concerns", "5")

    found = json.loads(held.stdout)
    assert (found["raised"], found["closed"], found["faults"]) == (5, 5, [])
    assert held.returncode == 0
