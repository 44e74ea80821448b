"""Wires a stack for faults: services whose points can fail, and links between any two that can be broken.

Only the harness's own process is changed: what it writes for the supervisor and for the services to read.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any
from unittest.mock import patch

from services.cli.local import broker, environments, plan
from services.cli.local.environments import NEED_INTAKE
from services.cli.local.home import Home
from services.cli.local.plan import Entry
from services.cli.local.stack import Stack
from services.topics import SERVICES
from tests.chaos.clocks import Clocks
from tests.chaos.disks import Disks
from tests.chaos.injected import FOLDER
from tests.chaos.points import BUG
from tests.chaos.proxy import Proxies
from tests.chaos.schedule import LINKS

SHARE = 0.1
"""Of the calls of each point, before and after, while they fail: with more, what comes behind others is hardly met."""


class Wiring(AbstractContextManager["Wiring"]):
    """In force while the block lasts; services that start within it are wired."""

    def __init__(self, stack: Stack, *, disks: bool = True, clocks: bool = False, referrals: int = 0) -> None:
        """`disks`: put the broker's, the store's and the log's folders on disks that hold so many `referrals` and not
        much more, where that is allowed; `clocks`: let the services' clocks be set. Raises NoLibrary."""
        self._stack = stack
        self._wants_disks = disks
        self._folder = stack.home.root / "injected"
        self._clocks = Clocks(self._folder) if clocks else None
        self._exit = ExitStack()
        self._ports = stack.access().ports
        self.proxies = Proxies()
        self._to: dict[str, int] = {}
        self.disks = Disks(stack.home, referrals)
        self.has_disks = False

    def __enter__(self) -> Wiring:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.has_disks = self._wants_disks and self.disks.mount()
        for name in ("kafka", "partners"):
            self._to[name] = self.proxies.add(f"everybody-{name}", self._ports[name])
        for service in SERVICES:
            self._to[f"{service}>mongo"] = self.proxies.add(f"{service}-mongo", self._ports["mongo"])
        for service in NEED_INTAKE:
            self._to[f"{service}>intake"] = self.proxies.add(f"{service}-intake", self._ports["intake"])
        for service in SERVICES:
            self._to[f"clients>{service}"] = self.proxies.add(f"clients-{service}", self._ports[service])
        if set(self.proxies.links) != set(LINKS):
            raise ValueError("the schedule knows other links than these: " + ", ".join(self.links))
        self._exit.enter_context(patch.object(plan, "PLAN", tuple(map(self._entry, plan.PLAN))))
        if self.has_disks:
            # Not the disk itself: Kafka takes every folder in its own for a partition.
            store = self.disks.folder("kafka") / "store"
            self._exit.enter_context(patch.object(broker, "store", lambda home: store))
        self._exit.enter_context(patch.object(broker, "write_settings", self._broker(broker.write_settings)))
        self._exit.enter_context(patch.object(environments, "settings", self._service(environments.settings)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def close(self) -> None:
        """End the links and take the disks away; after the stack is stopped."""
        self.proxies.close()
        self.disks.unmount()

    @property
    def clocks(self) -> Clocks:
        """Raises RuntimeError where they cannot be set."""
        if self._clocks is None:
            raise RuntimeError("the clocks of these services cannot be set")
        return self._clocks

    @property
    def links(self) -> list[str]:
        """Every link by its two ends."""
        return sorted(self.proxies.links)

    def address(self, service: str) -> str:
        """Where clients call the service."""
        return f"127.0.0.1:{self._to[f'clients>{service}']}"

    def inject(self, service: str, seed: int, seconds: float) -> None:
        """Let every point of the service fail now and then, for so long."""
        self._order(service, seed, seconds)

    def bug(self, service: str, seed: int, seconds: float) -> None:
        """Let the service's decisions on facts fail now and then, for so long, as by a bug."""
        self._order(f"{service}.{BUG}", seed, seconds)

    def _order(self, name: str, seed: int, seconds: float) -> None:
        orders = {"share": SHARE, "until": time.time() + seconds, "seed": seed}
        temporary = self._folder / f"{name}.new"
        temporary.write_text(json.dumps(orders))
        temporary.rename(self._folder / name)

    @property
    def injected(self) -> Counter[str]:
        """How often each point failed so far."""
        return Counter(
            f"{file.stem}: {point}" for file in self._folder.glob("*.done") for point in file.read_text().splitlines()
        )

    def _entry(self, entry: Entry) -> Entry:
        if not entry.environment_file:
            return entry
        command = [sys.executable, "-m", "tests.chaos.injected", entry.name]
        kept = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
        environment = {FOLDER: str(self._folder)} | (self._clocks.environment(entry.name) if self._clocks else {})
        return Injected(**{**kept, "command": lambda home, ports: command}, environment=environment)

    def _broker(self, real: Callable[..., None]) -> Callable[..., None]:
        def written(home: Home, ports: dict[str, int], secrets: Any) -> None:
            real(home, ports, secrets)
            file = broker.settings_file(home)
            text = file.read_text()
            before = (
                f"advertised.listeners=SERVICES://127.0.0.1:{ports['kafka']},PARTNERS://127.0.0.1:{ports['partners']}"
            )
            if before not in text:
                raise ValueError("the broker's settings have another form: say here how it is reached through a link")
            after = f"advertised.listeners=SERVICES://127.0.0.1:{self._to['kafka']},PARTNERS://127.0.0.1:{self._to['partners']}"
            file.write_text(text.replace(before, after))

        return written

    def _service(self, real: Callable[..., dict[str, str]]) -> Callable[..., dict[str, str]]:
        def told(*arguments: Any) -> dict[str, str]:
            found, service = real(*arguments), arguments[-1]
            found["KAFKA_SERVERS"] = f"127.0.0.1:{self._to['kafka']}"
            found["MONGO_URL"] = f"mongodb://127.0.0.1:{self._to[f'{service}>mongo']}"
            if "INTAKE_ADDRESS" in found:
                found["INTAKE_ADDRESS"] = f"127.0.0.1:{self._to[f'{service}>intake']}"
            return found

        return told


@dataclasses.dataclass(frozen=True)
class Injected(Entry):
    """An entry of the plan that knows where its orders to fail lie, and what its clock is to be."""

    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def wanted(self, home: Home, ports: dict[str, int]) -> dict[str, Any]:
        """See Entry."""
        return super().wanted(home, ports) | {"environment": dict(self.environment)}
