"""The supervisor restarts what ends with growing pauses, obeys wanted.json, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli.local import home as files
from services.cli.local import processes
from services.cli.local.home import Home
from services.cli.local.processes import Running
from services.cli.local.supervisor import ENDS_WITH, FIRST_PAUSE, LONGEST_PAUSE, Child

FOREVER = ["sleep", "600"]


def entry(name: str, command: list[str], stage: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "stage": stage,
        "command": command,
        "environment": {},
        "environment_file": "",
        "folder": "/",
    }


class Supervised:
    """A real supervisor in a home of its own."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.version = 0
        self.ends_with: int | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def want(self, *entries: dict[str, Any]) -> None:
        self.version += 1
        version = str(self.version)
        files.write_json(self.home.wanted, {"version": version, "ports": {}, "processes": list(entries)})
        if self.process is None:
            command = [sys.executable, "-m", "services.cli.local.supervisor", str(self.home.root)]
            told = os.environ | {ENDS_WITH: str(self.ends_with)} if self.ends_with else None
            self.process = subprocess.Popen(command, cwd=files.CHECKOUT, env=told, stderr=subprocess.DEVNULL)
        else:
            self.process.send_signal(signal.SIGHUP)
        until(lambda: self.stack().get("applied") == version)

    def stack(self) -> dict[str, Any]:
        return files.read_json(self.home.stack)

    def running(self, name: str) -> Running:
        row = self.stack()["processes"][name]
        return Running(row["pid"], row["started"])

    def end(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(60)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    found = Supervised(Home(tmp_path / "home"))
    yield found
    found.end()


def test_what_is_killed_comes_back_as_another_process(supervised: Supervised) -> None:
    supervised.want(entry("a", FOREVER))
    first = supervised.running("a")

    first.signal(signal.SIGKILL)
    until(lambda: supervised.stack()["processes"]["a"].get("pid", first.pid) != first.pid)

    assert supervised.running("a").alive
    assert supervised.stack()["processes"]["a"] | {"pid": 0, "started": ""} == {
        "pid": 0,
        "started": "",
        "restarts": 1,
        "stage": 0,
        "exit_code": -9,
    }


def test_what_is_no_longer_wanted_ends_and_the_rest_stays(supervised: Supervised) -> None:
    supervised.want(entry("a", FOREVER), entry("b", FOREVER))
    a, b = supervised.running("a"), supervised.running("b")

    supervised.want(entry("b", FOREVER))

    assert (a.alive, b.alive) == (False, True)


def test_a_program_that_is_not_there_is_tried_again_and_harms_no_other(supervised: Supervised) -> None:
    supervised.want(entry("absent", ["/no/such/program"]), entry("b", FOREVER))

    until(lambda: supervised.stack()["processes"]["absent"]["restarts"] >= 2)

    assert supervised.running("b").alive


def test_the_end_comes_in_reverse_order(supervised: Supervised, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    script = f"trap 'echo $0 >> {ended}; exit 0' TERM; echo $0 is up; while :; do sleep 0.05; done"
    names = ["store", "service"]
    supervised.want(*(entry(name, ["sh", "-c", script, name], stage) for stage, name in enumerate(names)))
    for name in names:
        until(lambda name=name: "is up" in supervised.home.log(name).read_text())  # type: ignore[misc]

    supervised.end()

    assert ended.read_text().split() == ["service", "store"]
    assert supervised.stack()["supervisor"] is None
    assert supervised.stack()["processes"] == {}


def test_what_ignores_the_polite_signal_is_killed(supervised: Supervised) -> None:
    stubborn = subprocess.Popen(
        ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], stdout=subprocess.PIPE
    )
    assert stubborn.stdout is not None
    stubborn.stdout.readline()

    processes.end([processes.running(stubborn.pid)], grace=0.2)

    assert stubborn.wait(60) == -signal.SIGKILL
    stubborn.stdout.close()


def test_with_the_process_that_it_ends_with_everything_stops_however_that_ended(supervised: Supervised) -> None:
    with subprocess.Popen(FOREVER) as owner:
        supervised.ends_with = owner.pid
        supervised.want(entry("a", FOREVER))
        a = supervised.running("a")

        owner.kill()

    until(lambda: supervised.process is not None and supervised.process.poll() == 0)
    assert not a.alive


def test_pauses_double_up_to_five_seconds() -> None:
    child = Child({"stage": 0})
    pauses = []
    for _ in range(9):
        pauses.append(child.pause)
        child.try_again()

    assert pauses[:3] == [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]
    assert pauses[-1] == LONGEST_PAUSE == 5.0
