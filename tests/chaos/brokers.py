"""Three brokers in place of one: three processes, every topic on all three, two of them needed for a write."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest.mock import patch

from kafka.errors import KafkaError

from services.cli.local import broker, credentials, environments, plan, probes
from services.cli.local.home import Home
from services.cli.local.plan import Entry
from services.cli.local.stack import Stack

OTHERS = ("kafka-2", "kafka-3")
NAMES = ("kafka", *OTHERS)
IN_SYNC_SECONDS = 120.0
_REPLICATED = ("default", "offsets.topic", "transaction.state.log", "share.coordinator.state.topic")


class ThreeBrokers(AbstractContextManager["ThreeBrokers"]):
    """In force while the block lasts. Clients begin at the first broker, and go on with all."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._exit = ExitStack()
        self._cluster = uuid.uuid4()

    def __enter__(self) -> ThreeBrokers:
        first, *rest = plan.PLAN
        entries = (first, *map(self._entry, OTHERS), *rest)
        self._exit.enter_context(patch.object(plan, "PLAN", entries))
        self._exit.enter_context(patch.object(plan, "NAMES", tuple(entry.name for entry in entries)))
        named = tuple(port for entry in entries for port in entry.ports)
        self._exit.enter_context(patch.object(plan, "PORT_NAMES", named))
        self._exit.enter_context(patch.object(broker, "write_settings", self._settings(broker.write_settings)))
        self._exit.enter_context(patch.object(broker, "format_storage", self._format(broker.format_storage)))
        self._exit.enter_context(patch.object(environments, "settings", self._service(environments.settings)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def destroy(self, name: str) -> None:
        """Kill a broker, take everything from it, and start it with an empty disk."""
        self._stack.kill(name)
        self._stack.hold(name)
        shutil.rmtree(_store(self._stack.home, name))
        self._format_one(broker.format_storage, self._stack.home, name)
        self._stack.start([name])

    def wait_in_sync(self) -> None:
        """Return when every partition is whole on all three again. Raises TimeoutError."""
        deadline = time.monotonic() + IN_SYNC_SECONDS
        while behind := self._not_yet():
            if time.monotonic() > deadline:
                raise TimeoutError(f"partitions are not on all three brokers: {behind}")
            time.sleep(0.5)

    def _not_yet(self) -> str:
        """What is missing; empty where nothing is."""
        try:
            behind = self._behind()
        except KafkaError as error:  # whoever was asked has just gone, or comes back
            return type(error).__name__
        return f"{behind} of them" if behind else ""

    def _behind(self) -> int:
        with self._stack.admin() as client:
            described = client.describe_topics()
        partitions = [partition for topic in described for partition in topic["partitions"]]
        return sum(len(partition["isr_nodes"]) < len(NAMES) for partition in partitions)

    def _entry(self, name: str) -> Entry:
        def command(home: Home, ports: dict[str, int]) -> list[str]:
            with patch.object(broker, "settings_file", lambda home: _file(home, name)):
                return broker.command(home)

        ports = _ports(name)
        return Entry(name, 0, ports, command, lambda access: probes.port_is_open(access, name))

    def _settings(self, real: Callable[..., None]) -> Callable[..., None]:
        def written(home: Home, ports: dict[str, int], secrets: Any) -> None:
            real(home, ports, secrets)
            text = _for_three(broker.settings_file(home).read_text(), ports)
            broker.settings_file(home).write_text(text)
            for number, name in enumerate(OTHERS, start=2):
                _file(home, name).write_text(_of_another(text, home, ports, name, number))

        return written

    def _format(self, real: Callable[..., None]) -> Callable[..., None]:
        def formatted(home: Home, secrets: Any) -> None:
            for name in NAMES:
                self._format_one(real, home, name)

        return formatted

    def _format_one(self, real: Callable[..., None], home: Home, name: str) -> None:
        """All three are of one cluster, which the broker's own code would make anew for each."""
        with ExitStack() as patches:
            patches.enter_context(patch.object(uuid, "uuid4", lambda: self._cluster))
            if name in OTHERS:
                patches.enter_context(patch.object(broker, "settings_file", lambda home: _file(home, name)))
                patches.enter_context(patch.object(broker, "store", lambda home: _store(home, name)))
            real(home, credentials.load(home))

    def _service(self, real: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
        def told(*arguments: Any) -> dict[str, str]:
            found, ports = real(*arguments), arguments[1]
            found["KAFKA_SERVERS"] = ",".join(
                [found["KAFKA_SERVERS"], *(f"127.0.0.1:{ports[name]}" for name in OTHERS)]
            )
            return found

        return told


def _file(home: Home, name: str) -> Path:
    return home.data / f"{name}.properties"


def _store(home: Home, name: str) -> Path:
    return home.data / name


def _ports(name: str) -> tuple[str, str, str]:
    return ("kafka", "partners", "controller") if name == "kafka" else (name, f"{name}.partners", f"{name}.controller")


def _for_three(text: str, ports: dict[str, int]) -> str:
    """One broker's settings as those of the first of three."""
    controllers = [ports[_ports(name)[2]] for name in NAMES]
    voters = ",".join(f"{number}@127.0.0.1:{port}" for number, port in enumerate(controllers, start=1))
    text = _put(text, f"controller.quorum.voters=1@127.0.0.1:{controllers[0]}", f"controller.quorum.voters={voters}")
    for what in _REPLICATED:
        text = _put(text, f"{what}.replication.factor=1", f"{what}.replication.factor=3")
    return text + "\nmin.insync.replicas=2\n"


def _of_another(text: str, home: Home, ports: dict[str, int], name: str, number: int) -> str:
    """The first broker's settings as another's: its own number, store and ports, reached directly."""
    lines: list[str] = []
    services, partners, controller = (ports[port] for port in _ports(name))
    reached = f"SERVICES://127.0.0.1:{services},PARTNERS://127.0.0.1:{partners}"
    own = {
        "node.id": str(number),
        "log.dirs": str(_store(home, name)),
        "listeners": f"{reached},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": reached,
    }
    for line in text.splitlines():
        key = line.partition("=")[0]
        lines.append(f"{key}={own[key]}" if key in own else line)
    return "\n".join(lines) + "\n"


def _put(text: str, before: str, after: str) -> str:
    if before not in text:
        raise ValueError(f"the broker's settings have no {before} any more: say here how three are made of one")
    return text.replace(before, after)
