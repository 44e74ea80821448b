"""The local stack as a library: commands and integration tests start, break and stop it through this."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient

from services import topics
from services.cli.local import (
    broker,
    credentials,
    environments,
    jars,
    plan,
    ports,
    processes,
    provision,
    supervisor,
)
from services.cli.local import home as files
from services.cli.local.errors import NotReady, StackError
from services.cli.local.plan import Entry
from services.cli.local.probes import Access
from services.cli.local.processes import Running

READY_SECONDS = 60.0
STOP_SECONDS = 60.0
APPLY_SECONDS = 60.0
TOO_MANY_RESTARTS = 5

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """How one process is doing; `trouble` is empty when it is healthy."""

    name: str
    pid: int | None
    ports: dict[str, int]
    restarts: int
    memory_mb: int
    trouble: str


class Stack:
    """One installation's processes. Nothing starts before `start`; `stop` ends only what was started.

    `ends_with`: the pid of a process with whose end everything stops too; without it, it runs until `stop`.
    """

    def __init__(self, root: Path | None = None, *, area: str | None = None, ends_with: int | None = None) -> None:
        self.home = files.find(root)
        self.area = area or environments.default_area()
        self._told = {supervisor.ENDS_WITH: str(ends_with)} if ends_with is not None else {}

    def start(
        self,
        only: Iterable[str] | None = None,
        *,
        progress: Progress = lambda line: None,
        timeout: float = READY_SECONDS,
    ) -> list[str]:
        """Start what is named (default: everything) beside what runs; return when all of it is healthy.

        The names of what had to be started are returned: none when all was up already.
        """
        chosen = _chosen(only)
        with self._changing():
            up = self._up()
            new = [entry for entry in chosen if entry not in up]
            if new:
                self._prepare(new, progress)
            for stage in range(plan.LAST_STAGE + 1):
                starting = [entry for entry in new if entry.stage == stage]
                if starting:
                    up = self._launch(starting, up, progress, timeout)
        self.wait_ready([entry.name for entry in chosen], timeout)
        return [entry.name for entry in new]

    def stop(self) -> bool:
        """Stop everything, what needs others first, and the supervisor. False when nothing ran."""
        with self._changing():
            return self._stop()

    def kill(self, name: str) -> int:
        """End one process with kill -9, as a crash would; return its pid. The supervisor starts it again."""
        victim = self.process(name)
        if victim is None or not victim.signal(signal.SIGKILL):
            raise StackError(f"{name} does not run")
        processes.wait_for_end([victim], 5)
        return victim.pid

    def hold(self, *names: str) -> None:
        """Stop processes, what needs others first, and keep them stopped until `start` names them."""
        with self._changing():
            self._want([entry for entry in self._up() if entry.name not in names])

    def restart(self, name: str, timeout: float = READY_SECONDS) -> None:
        """Stop one process gracefully, start it again, and return when it is healthy."""
        self.hold(name)
        self.start([name], timeout=timeout)

    def freeze(self, name: str) -> None:
        """Suspend one process (SIGSTOP): it keeps its port and answers nothing."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a suspended process go on."""
        self._signal(name, signal.SIGCONT)

    def wait_ready(self, names: Iterable[str], timeout: float = READY_SECONDS) -> None:
        """Return when all are healthy; NotReady, with the reason and the log, when one is not in time."""
        entries = _chosen(names)
        with ThreadPoolExecutor(len(entries) or 1) as pool:
            for waiting in [pool.submit(self._wait_for, entry, timeout) for entry in entries]:
                waiting.result()

    def address(self, name: str) -> str:
        """`127.0.0.1:port` of kafka, partners, mongo, a service (`intake`) or its HTTP (`intake.http`)."""
        return self.access().address(name)

    @property
    def mongo_url(self) -> str:
        """Where the store is."""
        return f"mongodb://{self.address('mongo')}"

    def kafka_login(self, user: str = credentials.ADMIN) -> dict[str, str]:
        """kafka-python's settings to connect as `admin` or as a service."""
        return provision.login(self.address("kafka"), user, credentials.load(self.home)[f"kafka.{user}"])

    def admin(self) -> AbstractContextManager[KafkaAdminClient]:
        """An administrator's connection to the broker."""
        access = self.access()
        return provision.admin(access.address("kafka"), access.admin_password)

    def access(self) -> Access:
        """The ports that it has and the password of its administrator."""
        known = ports.remembered(self.home, plan.PORT_NAMES)
        return Access(known, credentials.load(self.home)[f"kafka.{credentials.ADMIN}"])

    def supervisor(self) -> Running | None:
        """The supervisor, when it runs."""
        return _alive(files.read_json(self.home.stack).get("supervisor"))

    def process(self, name: str) -> Running | None:
        """One process, when it runs."""
        return _alive(files.read_json(self.home.stack).get("processes", {}).get(name))

    def status(self) -> list[Row]:
        """Every process that is to run, probed."""
        entries = self._up()
        with ThreadPoolExecutor(len(entries) or 1) as pool:
            return list(pool.map(self._row, entries))

    def _prepare(self, new: Sequence[Entry], progress: Progress) -> None:
        """Everything that can be done before the first process starts."""
        missing = [entry.name for entry in new if not plan.is_installed(entry)]
        if missing:
            raise StackError(f"there is no service {', '.join(missing)} in this checkout")
        files.folder(self.home.root)
        if not self.supervisor():
            supervisor.end_leftovers(self.home)
        known = self.access().ports
        ports.require_free({port: known[port] for entry in new for port in entry.ports}, self.home)
        environments.write(self.home, known, credentials.load(self.home), self.area)
        jars.fetch_all([entry.name for entry in new if entry.name in jars.NAMES], progress)

    def _launch(self, starting: Sequence[Entry], up: list[Entry], progress: Progress, timeout: float) -> list[Entry]:
        """Start the processes of one stage; return when they are healthy and the broker is furnished."""
        names = [entry.name for entry in starting]
        progress(f"starting {', '.join(names)}")
        if "kafka" in names:
            others = [entry for entry in starting if entry.name != "kafka"]
            if others:  # they start while the broker's store is made
                self._want([*up, *others])
            secrets = credentials.load(self.home)
            broker.write_settings(self.home, self.access().ports, secrets)
            broker.format_storage(self.home, secrets)
        self._want([*up, *starting])
        self.wait_ready(names, timeout)
        if "kafka" in names:
            progress("making users, topics and permissions")
            self._furnish()
        return [*up, *starting]

    def _furnish(self) -> None:
        secrets = credentials.load(self.home)
        with self.admin() as client:
            provision.ensure_users(client, {user: secrets[f"kafka.{user}"] for user in topics.SERVICES})
            provision.ensure_topics(client, topics.TOPICS)
            provision.ensure_acls(client, topics.service_acls())

    def _stop(self) -> bool:
        running = self.supervisor()
        if running is None:
            supervisor.end_leftovers(self.home)
            return False
        running.signal(signal.SIGTERM)
        if processes.wait_for_end([running], STOP_SECONDS):
            raise StackError(f"the supervisor (pid {running.pid}) did not end within {STOP_SECONDS:.0f} s")
        return True

    def _want(self, entries: Iterable[Entry]) -> None:
        """Tell the supervisor what is to run, and return when it has started or stopped the difference."""
        version = uuid.uuid4().hex
        known = self.access().ports
        wanted = [entry.wanted(self.home, known) for entry in entries]
        files.write_json(self.home.wanted, {"version": version, "ports": known, "processes": wanted})
        running = self.supervisor()
        if running is None or not running.signal(signal.SIGHUP):
            self._start_supervisor()
        deadline = time.monotonic() + APPLY_SECONDS
        while files.read_json(self.home.stack).get("applied") != version:
            if time.monotonic() > deadline:
                raise NotReady(f"the supervisor did not act within {APPLY_SECONDS:.0f} s: {self._log_of('supervisor')}")
            time.sleep(0.02)

    def _start_supervisor(self) -> None:
        with files.open_private(self.home.log("supervisor")) as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.cli.local.supervisor", str(self.home.root)],
                cwd=files.CHECKOUT,
                env=os.environ | self._told,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # It outlives this process; while this one lives, somebody must collect its end.
        threading.Thread(target=process.wait, daemon=True).start()

    def _wait_for(self, entry: Entry, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        access = self.access()
        before = self._restarts(entry.name)
        while True:
            try:
                return entry.probe(access)
            except NotReady as error:
                restarts = self._restarts(entry.name) - before
                if time.monotonic() > deadline or restarts >= TOO_MANY_RESTARTS:
                    ended = f" and ended {restarts} times" if restarts else ""
                    raise NotReady(f"{error}{ended}: {self._log_of(entry.name)}") from error
            time.sleep(0.05)

    def _row(self, entry: Entry) -> Row:
        access = self.access()
        running = self.process(entry.name)
        trouble = ""
        try:
            entry.probe(access)
        except NotReady as error:
            trouble = str(error)
        return Row(
            name=entry.name,
            pid=running.pid if running else None,
            ports={port: access.ports[port] for port in entry.ports},
            restarts=self._restarts(entry.name),
            memory_mb=processes.resident_mb(running.pid) if running else 0,
            trouble=trouble,
        )

    def _restarts(self, name: str) -> int:
        return int(files.read_json(self.home.stack).get("processes", {}).get(name, {}).get("restarts", 0))

    def _up(self) -> list[Entry]:
        """What the supervisor is to run; nothing when there is none."""
        if not self.supervisor():
            return []
        names = {wanted["name"] for wanted in files.read_json(self.home.wanted)["processes"]}
        return [entry for entry in plan.PLAN if entry.name in names]

    def _signal(self, name: str, number: signal.Signals) -> None:
        running = self.process(name)
        if running is None or not running.signal(number):
            raise StackError(f"{name} does not run")

    def _log_of(self, name: str) -> str:
        return f"see {self.home.log(name)}"

    @contextmanager
    def _changing(self) -> Generator[None]:
        """One `up` or `down` at a time in a home; the next waits for it."""
        with files.open_private(self.home.root / "stack.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _chosen(only: Iterable[str] | None) -> list[Entry]:
    names = plan.NAMES if only is None else tuple(only)
    unknown = sorted(set(names) - set(plan.NAMES))
    if unknown:
        raise StackError(f"unknown: {', '.join(unknown)}; the stack has {', '.join(plan.NAMES)}")
    return [entry for entry in plan.PLAN if entry.name in names]


def _alive(row: dict[str, Any] | None) -> Running | None:
    if not row or "pid" not in row:
        return None
    running = Running(row["pid"], row["started"])
    return running if running.alive else None
