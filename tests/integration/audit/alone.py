"""The sequencer alone: in this process on a disk of a test's own, or as one that a test may kill at any moment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient

from services.audit.index import Index, Placed
from services.audit.log import positions
from services.audit.log.disk import Disk
from services.audit.log.writer import Writer
from services.audit.sequencer import Sequencer
from services.audit.settings import Settings
from services.chassis import starting
from services.cli.installed import told
from services.cli.local.home import CHECKOUT
from services.cli.local.stack import Stack
from tests.integration.audit.support import login
from tests.unit.audit.log.support import SIGNER


class Unkept(Index):
    """Keeps no entry, only how far it came: what these tests ask is asked of the log, and stores are slow."""

    def __init__(self, database: Any, covered: int) -> None:
        super().__init__(database)
        self._covered = covered

    def prepare(self) -> None:
        """See Index."""

    def covered(self) -> int:
        """See Index."""
        return self._covered

    def save(self, placed: Sequence[Placed], covered: int) -> None:
        """See Index."""
        self._covered = covered


class Alone:
    """A sequencer in this process, which reads the stack's broker into a log of its own."""

    def __init__(self, stack: Stack, disk: Disk) -> None:
        self._mongo = MongoClient[dict[str, Any]](stack.mongo_url, serverSelectionTimeoutMS=5_000)
        self._folder = disk.root
        self._index = Unkept(self._mongo[f"alone_{os.urandom(4).hex()}"], self._size())
        self.told: dict[str, bool] = {}
        self.fatal: list[BaseException] = []
        self.ended = threading.Event()
        self.sequencer = Sequencer(
            login(stack, "audit"),
            self._index,
            lambda: Writer(disk.root, SIGNER, [self._index.memory()], disk=disk),
            self.told.__setitem__,
            on_fatal=self._broken,
        )

    def __enter__(self) -> Self:
        self.sequencer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sequencer.stop()
        self._mongo.close()

    def covered(self) -> int:
        """How many entries it has logged."""
        return self._index.covered()

    def reached(self, place: tuple[str, int]) -> int:
        """The next offset of a partition, by its topic's id, in its log."""
        states = positions.parse((self._folder / positions.FILE).read_bytes())
        return states[0].next.get(place, 0)

    def _size(self) -> int:
        file = self._folder / positions.FILE
        return positions.parse(file.read_bytes())[0].tree.size if file.exists() else 0

    def _broken(self, error: BaseException) -> None:
        self.fatal.append(error)
        self.ended.set()


ADDRESSES = ("HTTP_ADDRESS", "GRPC_ADDRESS", "LOG_ADDRESS")


def _free(count: int) -> list[int]:
    """Ports that nobody has at this moment."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def environment(stack: Stack, changed: dict[str, str]) -> dict[str, str]:
    """What audit is told, with some of it changed, and no port that the stack's own audit may have."""
    ports = {name: f"127.0.0.1:{port}" for name, port in zip(ADDRESSES, _free(len(ADDRESSES)), strict=True)}
    settings = told(stack.home, "audit") | ports | changed
    return os.environ | {f"AUDIT_{name}": value for name, value in settings.items()}


def started(stack: Stack, output: Path, module: str = __name__, **changed: str) -> subprocess.Popen[bytes]:
    """Audit (`services.audit`) or the sequencer alone, as a process; what it says goes to `output`."""
    with output.open("ab") as file:
        command = [sys.executable, "-m", module]
        return subprocess.Popen(
            command, cwd=CHECKOUT, env=environment(stack, changed), stdout=file, stderr=subprocess.STDOUT
        )


def run(wait: Callable[[], object]) -> None:
    """What `started` starts: no RPCs, nothing served."""
    settings = starting.begin("audit", Settings)
    mongo = starting.connect_store(settings)
    index = Index(mongo[settings.mongo_database])
    writer = partial(Writer, settings.log, settings.signer, [index.memory()])
    Sequencer(settings.kafka, index, writer, lambda what, ready: None).start()
    wait()


if __name__ == "__main__":
    run(threading.Event().wait)
