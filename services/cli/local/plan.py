"""What the stack consists of, as data: each process with its stage, command, ports and health."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services import topics
from services.cli.local import broker, jars, probes
from services.cli.local.home import CHECKOUT, Home
from services.cli.local.probes import Access

MORE_PORTS = {"audit": ("audit.log",)}
"""What else a service listens on: audit serves its log to anyone."""

Command = Callable[[Home, dict[str, int]], list[str]]
Probe = Callable[[Access], None]


@dataclass(frozen=True)
class Entry:
    """One process. A later stage starts when all of the earlier one are healthy, and stops before it."""

    name: str
    stage: int
    ports: tuple[str, ...]
    command: Command
    probe: Probe
    environment_file: bool = False

    def wanted(self, home: Home, ports: dict[str, int]) -> dict[str, Any]:
        """What the supervisor needs to know to run it."""
        return {
            "name": self.name,
            "stage": self.stage,
            "command": self.command(home, ports),
            "environment": {},
            "environment_file": str(home.environment(self.name)) if self.environment_file else "",
            "folder": str(CHECKOUT),
        }


def _kafka(home: Home, ports: dict[str, int]) -> list[str]:
    return broker.command(home)


def _mongo(home: Home, ports: dict[str, int]) -> list[str]:
    # Without memory it ends before the commit: half of a write that failed so must not come onto the disk.
    memory = ("-Xms512m", "-Xmn160m", "-Xmx2g", "-XX:+ExitOnOutOfMemoryError")
    file = str(home.data / "mongo" / "store.mv")
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    java = ["java", *memory, *broker.QUICK_START, quiet, "-cp", jars.classpath("mongo")]
    return [*java, "LocalMongo", file, str(ports["mongo"])]


def _service(name: str) -> Entry:
    package = name.replace("-", "_")
    command = [sys.executable, "-m", f"services.{package}"]
    http = f"{name}.http"

    def probe(access: Access) -> None:
        probes.service_is_ready(access, http)

    ports = (name, http, *MORE_PORTS.get(name, ()))
    return Entry(name, 1, ports, lambda home, ports: command, probe, environment_file=True)


PLAN = (
    Entry("kafka", 0, broker.PORTS, _kafka, probes.kafka_is_ready),
    Entry("mongo", 0, ("mongo",), _mongo, probes.mongo_is_ready),
    *(_service(name) for name in topics.SERVICES),
)
NAMES = tuple(entry.name for entry in PLAN)
PORT_NAMES = tuple(port for entry in PLAN for port in entry.ports)
LAST_STAGE = max(entry.stage for entry in PLAN)


def is_installed(entry: Entry) -> bool:
    """Whether the service's package can be run in this checkout."""
    package = entry.name.replace("-", "_")
    return not entry.environment_file or (Path(CHECKOUT) / "services" / package / "__main__.py").is_file()
