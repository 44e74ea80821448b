"""The small process left behind by `referrals up`: it restarts what ends, and stops only what it started.

It runs what wanted.json lists and writes what it runs into stack.json. SIGHUP makes it read wanted.json
again, SIGTERM stops everything. A lock on the home makes a second supervisor end at once. Where REFERRALS_ENDS_WITH
names a process, as for a demo or a test, everything is stopped once that one has ended, however it did.
"""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from services.cli.local import home as files
from services.cli.local import processes
from services.cli.local.home import Home
from services.cli.local.processes import Running

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
STEADY_AFTER = 10.0
GRACE = 15.0
TICK = 1.0
ENDS_WITH = "REFERRALS_ENDS_WITH"
SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

log = logging.getLogger("supervisor")


@dataclass
class Child:
    """One process that is to run: `wanted` is its entry of wanted.json."""

    wanted: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    running: Running | None = None
    started_at: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    restarts: int = 0
    exit_code: int | None = None

    def ended(self) -> bool:
        """True once it was started and runs no more."""
        return self.process is not None and self.process.poll() is not None

    def start(self, home: Home) -> None:
        """Start it now."""
        self.started_at = time.monotonic()
        self.process = spawn(home, self.wanted)
        with suppress(ProcessLookupError):  # it may have ended already, and is reaped in the next turn
            self.running = processes.running(self.process.pid)

    def try_again(self) -> None:
        """Plan its next start, each time after a longer pause."""
        self.due = time.monotonic() + self.pause
        self.pause = min(self.pause * 2, LONGEST_PAUSE)
        self.restarts += 1
        self.process = self.running = None

    def row(self) -> dict[str, Any]:
        """What stack.json says of it."""
        row: dict[str, Any] = {
            "restarts": self.restarts,
            "stage": self.wanted["stage"],
            "exit_code": self.exit_code,
        }
        if self.running:
            row |= {"pid": self.running.pid, "started": self.running.started}
        return row


@dataclass
class Supervisor:
    """Keeps the processes that are wanted running until it is told to stop."""

    home: Home
    ends_with: Running | None = None
    """The process with which it ends; None where it stays until it is told."""
    children: dict[str, Child] = field(default_factory=dict)
    applied: str = ""
    ports: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or the end of the process with which it ends."""
        end_leftovers(self.home)
        while self.ends_with is None or self.ends_with.alive:
            self._apply()
            self._reap()
            self._start_due()
            self._record()
            received = signal.sigtimedwait(SIGNALS, self._patience())
            if received and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                break
        self._stop(list(self.children))
        self._record(gone=True)

    def _apply(self) -> None:
        wanted = files.read_json(self.home.wanted)
        if wanted.get("version", "") == self.applied:
            return
        entries = {entry["name"]: entry for entry in wanted["processes"]}
        self._stop([name for name, child in self.children.items() if entries.get(name) != child.wanted])
        self.children |= {name: Child(entry) for name, entry in entries.items() if name not in self.children}
        self.ports = wanted["ports"]
        self.applied = wanted["version"]

    def _reap(self) -> None:
        for name, child in self.children.items():
            if not child.ended():
                continue
            child.exit_code = child.process.returncode if child.process else None
            if time.monotonic() - child.started_at > STEADY_AFTER:
                child.pause = FIRST_PAUSE
            log.warning("%s ended with %s, starting again in %.1f s", name, child.exit_code, child.pause)
            child.try_again()

    def _start_due(self) -> None:
        for name, child in self.children.items():
            if child.process or child.due > time.monotonic():
                continue
            try:
                child.start(self.home)
                log.info("%s started", name)
            except OSError as error:
                log.warning("%s could not be started: %s", name, error)
                child.try_again()

    def _stop(self, names: list[str]) -> None:
        """Later stages first: what needs others ends before them."""
        leaving = {name: self.children[name] for name in names}
        for stage in sorted({child.wanted["stage"] for child in leaving.values()}, reverse=True):
            going = {name: child for name, child in leaving.items() if child.wanted["stage"] == stage}
            processes.end([child.running for child in going.values() if child.running], GRACE)
            for name, child in going.items():
                if child.process:
                    log.info("%s stopped with %s", name, child.process.wait())
                del self.children[name]
            self._record()

    def _patience(self) -> float:
        waits = [child.due - time.monotonic() for child in self.children.values() if child.process is None]
        return max(0.0, min([TICK, *waits]))

    def _record(self, *, gone: bool = False) -> None:
        me = None if gone else processes.this().__dict__
        rows = {name: child.row() for name, child in self.children.items()}
        state = {"supervisor": me, "applied": self.applied, "ports": self.ports, "processes": rows}
        if state != files.read_json(self.home.stack):
            files.write_json(self.home.stack, state)


def spawn(home: Home, entry: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start one process in a session of its own, writing to its log."""
    environment = os.environ | entry["environment"]
    if entry["environment_file"]:
        environment |= read_environment(Path(entry["environment_file"]))
    with files.open_private(home.log(entry["name"])) as output:
        return subprocess.Popen(
            entry["command"],
            cwd=entry["folder"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_take_signals,
        )


def read_environment(path: Path) -> dict[str, str]:
    """NAME=value lines; `#` begins a comment line."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def end_leftovers(home: Home) -> None:
    """Stop what an earlier supervisor started and, being killed, could not stop itself."""
    rows = files.read_json(home.stack).get("processes", {})
    for stage in sorted({row["stage"] for row in rows.values()}, reverse=True):
        left = [Running(row["pid"], row["started"]) for row in rows.values() if row["stage"] == stage and "pid" in row]
        processes.end(left, GRACE)


def lock(home: Home) -> BinaryIO | None:
    """The lock on this home as an open file, or None while a supervisor holds it."""
    file = files.open_private(home.root / "supervisor.lock")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _take_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def main() -> None:
    """Supervise the home that is named, until told to stop; ends at once where another does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    home = files.find(Path(sys.argv[1]))
    held = lock(home)
    if held is None:
        log.info("another supervisor runs in %s", home.root)
        sys.exit(0)
    with held:
        Supervisor(home, _process(os.environ.pop(ENDS_WITH, ""))).run()


def _process(pid: str) -> Running | None:
    """The process of that pid; one that has ended already is one that does not live."""
    if not pid:
        return None
    try:
        return processes.running(int(pid))
    except ProcessLookupError:
        return Running(int(pid), "ended")


if __name__ == "__main__":
    main()
