"""Processes, told apart by pid and start time, so that a reused pid is never signalled."""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Running:
    """One process that was started; `started` is its boot and its start time in clock ticks since then."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """False once it has ended, also where its id is another process by now."""
        return started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal, unless the process has ended; a race with the end is not an error."""
        with suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)
                return True
        return False


def this() -> Running:
    """The process that asks."""
    return running(os.getpid())


def running(pid: int) -> Running:
    """Raises ProcessLookupError when there is no such process."""
    since = started(pid)
    if since is None:
        raise ProcessLookupError(pid)
    return Running(pid, since)


def started(pid: int) -> str | None:
    """When the process started, or None when it has ended, be it that its parent has not yet noticed."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat[stat.rindex(")") + 2 :].split()
    return None if state in "ZX" else f"{_boot()}:{fields[18]}"


def resident_mb(pid: int) -> int:
    """Resident memory; 0 when the process has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def end(processes: Iterable[Running], grace: float) -> None:
    """Ask all to end, and kill those that still live after `grace` seconds."""
    asked = [process for process in processes if process.signal(signal.SIGTERM)]
    left = wait_for_end(asked, grace)
    for process in left:
        process.signal(signal.SIGKILL)
    wait_for_end(left, 5)


def wait_for_end(processes: Iterable[Running], seconds: float) -> list[Running]:
    """Those that still live when all others have ended or the time is over."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    while True:
        left = [process for process in left if process.alive]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.02)


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
