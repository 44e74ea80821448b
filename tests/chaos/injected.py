"""`python -m tests.chaos.injected <service>`: a service whose sends, store and handlers fail while a file says so.

This is the wiring of a test: the services themselves have no such switch. Each point fails before what it does, or
after: then it happened, and nobody was told.
"""

from __future__ import annotations

import errno
import json
import os
import random
import select
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError

from services.chassis import calls, keys, replies_in, service, starting
from services.chassis.engine import store
from services.chassis.engine.away import Away
from services.chassis.engine.judge import Judge
from services.chassis.engine.publisher import Sending
from services.chassis.engine.sessions import Tell
from services.chassis.errors import Unavailable
from services.chassis.kafka_in.loop_consumer import LoopConsumer
from tests.chaos.clocks import CLOCK
from tests.chaos.points import BEFORE, BUG, DECISION, FIRST_SHARE, point_of

FOLDER = "CHAOS_INJECT"
LOOK_EVERY = 0.1

Failure = Callable[[], Exception]


class Faults:
    """When a point fails: as the file says, by dice of this process, each failure noted in a line of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._orders = folder / name
        self._done = folder / f"{name}.done"
        self._share = 0.0
        self._until = 0.0
        self._dice = random.Random()
        self._look_at = 0.0
        # Of the processes of this service before, too.
        self._failed = (
            {point_of(line) for line in self._done.read_text().splitlines()} if self._done.exists() else set()
        )

    def beside(self, name: str) -> Faults:
        """Others of the same service, with orders of their own."""
        return Faults(self._orders.parent, f"{self._orders.name}.{name}")

    def strike(self, point: str) -> bool:
        """Whether this one fails: as often as the file says, and more often where it never has."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._look()
        share = self._share if point_of(point) in self._failed else max(self._share, FIRST_SHARE)
        if time.time() >= self._until or self._dice.random() >= share:
            return False
        self._failed.add(point_of(point))
        with self._done.open("a") as done:
            done.write(f"{point}\n")
        return True

    def _look(self) -> None:
        try:
            orders = json.loads(self._orders.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return
        if orders["until"] != self._until:
            self._share, self._until = orders["share"], orders["until"]
            self._dice = random.Random(orders["seed"])


def failing(faults: Faults, point: str, error: Failure, real: Any, *, after: bool = True) -> Any:
    """The function, failing before, or `after` too."""

    def injected(*arguments: Any, **named: Any) -> Any:
        if faults.strike(f"{BEFORE}{point}"):
            raise error()
        answer = real(*arguments, **named)
        if after and faults.strike(f"after {point}"):
            raise error()
        return answer

    return injected


def failing_later(faults: Faults, point: str, error: Failure, real: Any) -> Any:
    """The coroutine function, likewise."""

    async def injected(*arguments: Any, **named: Any) -> Any:
        if faults.strike(f"{BEFORE}{point}"):
            raise error()
        answer = await real(*arguments, **named)
        if faults.strike(f"after {point}"):
            raise error()
        return answer

    return injected


def serving(faults: Faults) -> None:
    """What every service has: its handlers, and each publisher that it makes."""
    shared, own = starting.shared_publisher, starting.own_publisher

    def made_shared(settings: Any, client_id: str) -> Any:
        publisher = shared(settings, client_id)
        publisher.publish = failing(faults, _send_by(client_id), _away("broker"), publisher.publish)  # type: ignore[method-assign]
        return publisher

    def made_own(settings: Any, client_id: str) -> Any:
        publisher = own(settings, client_id)
        begin = failing(faults, _send_by(client_id), _away("broker"), publisher.begin, after=False)
        publisher.begin = lambda *arguments: _FailsAfter(begin(*arguments), faults, client_id)  # type: ignore[method-assign]
        return publisher

    vars(starting)["shared_publisher"] = vars(service)["shared_publisher"] = made_shared
    vars(starting)["own_publisher"] = vars(service)["own_publisher"] = made_own
    behave = failing(faults, "handler", lambda: Unavailable("injected"), calls.Call.behave)
    calls.Call.behave = behave  # type: ignore[method-assign]


class _FailsAfter:
    """A sending that may be acknowledged without anybody being told."""

    def __init__(self, sending: Sending, faults: Faults, client_id: str) -> None:
        self._sending = sending
        self._faults = faults
        self._point = f"after {_send_by(client_id)}"

    def wait(self, tell: Tell | None = None) -> bool:
        """See Sending."""
        acknowledged = self._sending.wait(tell)
        if acknowledged and self._faults.strike(self._point):
            raise _away("broker")()
        return acknowledged


def _send_by(client_id: str) -> str:
    return f"send by {client_id}"


def deciding(faults: Faults) -> None:
    """Every use of the store and of the keys, the commits of what was read, and the decisions on facts."""
    serving(faults)
    for name in ("load", "save", "waiting"):
        real = getattr(store.MongoStore, name)
        setattr(store.MongoStore, name, failing(faults, f"store {name}", _away("store"), real))
    keys.Keys.open = failing(faults, "keys", _away("keys"), keys.Keys.open)  # type: ignore[method-assign]
    commit = failing_later(faults, "commit of facts", _late, LoopConsumer.commit_offsets)
    LoopConsumer.commit_offsets = commit  # type: ignore[method-assign]

    judge: Any = Judge  # of no state in particular
    # As a bug does: the fact is parked, and handled again once the bug is gone. What is decided is taken in at once.
    bugs = faults.beside(BUG)
    judge._upstream = failing(bugs, DECISION, lambda: RuntimeError("injected"), Judge._upstream, after=False)

    class Replies(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
        commit = failing_later(faults, "commit of replies", _late, AIOKafkaConsumer.commit)

    vars(replies_in)["AIOKafkaConsumer"] = Replies


def auditing(faults: Faults) -> None:
    """Every write of the log, of the index, and of what was signed last."""
    serving(faults)
    index, disk = import_module("services.audit.index"), import_module("services.audit.log.disk")
    memory = import_module("services.audit.log.memory")
    index.Index.save = failing(faults, "index save", _away("store"), index.Index.save)
    index.Index._remember = failing(faults, "index remember", _away("store"), index.Index._remember)
    for name in ("write", "sync", "replace"):
        real = getattr(disk.Disk, name)
        setattr(disk.Disk, name, failing(faults, f"disk {name}", _unwritten, real))
    memory.FileMemory.remember = failing(faults, "memory", _unwritten, memory.FileMemory.remember)


def _away(what: str) -> Failure:
    return lambda: Away(what, "injected")


def _late() -> Exception:
    late: Exception = KafkaTimeoutError("injected")
    return late


def _unwritten() -> Exception:
    return OSError(errno.EIO, "injected")


def slept(seconds: float) -> None:
    """As time.sleep, by another call of the system: libfaketime 0.9.10 breaks the one that time.sleep makes."""
    select.select([], [], [], seconds)


def main() -> None:
    """Run the service with its points failing on order."""
    name = sys.argv[1]
    if CLOCK in os.environ:
        vars(time)["sleep"] = slept
    faults = Faults(Path(os.environ[FOLDER]), name)
    (auditing if name == "audit" else deciding)(faults)
    import_module(f"services.{name.replace('-', '_')}.__main__").main()


if __name__ == "__main__":
    main()
