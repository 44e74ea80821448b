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

from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError

from services.chassis import calls, keys, service, starting
from services.chassis.engine import store
from services.chassis.engine.away import Away
from services.chassis.errors import Unavailable
from tests.chaos.clocks import CLOCK

FOLDER = "CHAOS_INJECT"
LOOK_EVERY = 0.1


class Faults:
    """When a point fails: as the file says, by dice of this process, each failure noted in a line of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._orders = folder / name
        self._done = folder / f"{name}.done"
        self._share = 0.0
        self._until = 0.0
        self._dice = random.Random()
        self._look_at = 0.0

    def strike(self, point: str) -> bool:
        """Whether this one fails."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._look()
        if time.time() >= self._until or self._dice.random() >= self._share:
            return False
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


def failing(faults: Faults, point: str, error: Callable[[], Exception], real: Any) -> Any:
    """The function, failing before or after."""

    def injected(*arguments: Any, **named: Any) -> Any:
        if faults.strike(f"before {point}"):
            raise error()
        answer = real(*arguments, **named)
        if faults.strike(f"after {point}"):
            raise error()
        return answer

    return injected


def deciding(faults: Faults) -> None:
    """Every send, every use of the store and of the keys, every handler, and the commits of replies."""

    def away(what: str) -> Callable[[], Exception]:
        return lambda: Away(what, "injected")

    def made(*arguments: Any, **kind: Any) -> Any:
        publisher = starting.publisher(*arguments, **kind)
        publisher.publish = failing(faults, f"send by {arguments[1]}", away("broker"), publisher.publish)  # type: ignore[method-assign]
        return publisher

    vars(service)["publisher"] = made
    for name in ("load", "save", "waiting"):
        real = getattr(store.MongoStore, name)
        setattr(store.MongoStore, name, failing(faults, f"store {name}", away("store"), real))
    keys.Keys.open = failing(faults, "keys", away("keys"), keys.Keys.open)  # type: ignore[method-assign]
    behave = failing(faults, "handler", lambda: Unavailable("injected"), calls.Call.behave)
    calls.Call.behave = behave  # type: ignore[method-assign]
    KafkaConsumer.commit = failing(faults, "commit", lambda: KafkaTimeoutError("injected"), KafkaConsumer.commit)


def auditing(faults: Faults) -> None:
    """Every write of the log and of the index."""
    index, disk = import_module("services.audit.index"), import_module("services.audit.log.disk")
    index.Index.save = failing(faults, "index", lambda: Away("store", "injected"), index.Index.save)
    for name in ("write", "sync", "replace"):
        real = getattr(disk.Disk, name)
        setattr(disk.Disk, name, failing(faults, f"disk {name}", lambda: OSError(errno.EIO, "injected"), real))


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
