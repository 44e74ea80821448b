"""An arm's process: started with its settings, watched from outside by /proc, and ended by its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from services.cli.local.home import CHECKOUT

TICKS = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2
"""Linux names a process's CPU clock by its pid and this, as clock_getcpuclockid(3) does."""
END_SECONDS = 10.0
ARM_PATH = os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "build" / "protos")))


class ArmEnded(Exception):
    """The arm's process ended by itself; its output says why."""


class Usage(NamedTuple):
    """What processes have used so far."""

    cpu: float
    memory: float
    """Resident, MiB."""


class Arm:
    """A running arm."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self._process = process
        self._output = output

    def usage(self) -> Usage:
        """CPU-seconds and memory of the process and of all that it started."""
        return usage(self._process.pid)

    def must_live(self) -> None:
        """Raise ArmEnded where it does not."""
        if self._process.poll() is not None:
            words = self._output.read_text(errors="replace").strip().splitlines()[-15:]
            raise ArmEnded(f"ended with {self._process.returncode}: " + "\n".join(words))

    def wait(self, seconds: float) -> int:
        """Wait for its end, and return its status."""
        return self._process.wait(seconds)


@contextmanager
def running(
    name: str,
    settings: Mapping[str, Any],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] = (),
) -> Iterator[Arm]:
    """Run tests/performance/arms/<name>.py, or `command`, until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    output = folder / f"{name}.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            command or [sys.executable, "-m", f"tests.performance.arms.{name}"],
            cwd=CHECKOUT,
            # Compiled modules are kept, whatever the caller set: an arm of a service starts in a third of the time.
            env={**os.environ, "PYTHONPATH": ARM_PATH, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # it ended at once; who watches it says so
            process.stdin.write(json.dumps(settings).encode())
            process.stdin.close()
        yield Arm(process, output)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def usage(pid: int) -> Usage:
    """CPU-seconds and resident memory of a process and of its descendants, the ended ones' CPU included."""
    cpu = memory = 0.0
    for one in _tree(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            stat = Path(f"/proc/{one}/stat").read_text()
            fields = stat[stat.rindex(")") + 2 :].split()
            cpu += own_cpu(one) + sum(map(int, fields[13:15])) / TICKS
            memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Usage(cpu, memory)


def own_cpu(pid: int) -> float:
    """CPU-seconds of all threads that a process has had, to the nanosecond: /proc tells ticks of 10 ms.

    Raises ProcessLookupError where there is none.
    """
    try:
        return time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
    except OSError as error:
        raise ProcessLookupError(pid) from error


def most_resident() -> float:
    """The most memory that this process has had resident, MiB."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1_024


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _tree(int(child))
