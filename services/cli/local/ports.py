"""Ports of the local stack: picked once, remembered, and when one is taken its holder is named."""

import os
import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from services.cli.local import home as files
from services.cli.local.errors import PortTaken, StackError
from services.cli.local.home import Home

# Below what Linux hands to outgoing connections: while a server is down, no client may take its port.
LOWEST, HIGHEST = 20000, 32000
LISTENING = "0A"


def remembered(home: Home, names: Iterable[str]) -> dict[str, int]:
    """The port of each name: as remembered, else a free one, remembered from now on."""
    known = {name: int(port) for name, port in files.read_json(home.ports).items()}
    missing = [name for name in names if name not in known]
    if missing:
        known |= pick(missing, avoid=known.values())
        files.write_json(home.ports, known)
    return known


def pick(names: Iterable[str], avoid: Iterable[int] = ()) -> dict[str, int]:
    """A free port for each name."""
    refused = set(avoid)
    picked: dict[str, int] = {}
    candidates = random.sample(range(LOWEST, HIGHEST), 500)
    for name in names:
        port = next((port for port in candidates if port not in refused and is_free(port)), None)
        if port is None:
            raise StackError(f"no free port between {LOWEST} and {HIGHEST} on 127.0.0.1")
        refused.add(port)
        picked[name] = port
    return picked


def is_free(port: int) -> bool:
    """Whether a server could listen there now, as servers do: also where connections of an earlier one linger."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(ports: Mapping[str, int], home: Home) -> None:
    """Raise PortTaken, naming every taken port, what it is for and who holds it."""
    taken = [f"port {port} ({name}) is held by {holder(port)}" for name, port in ports.items() if not is_free(port)]
    if taken:
        raise PortTaken(f"{'; '.join(taken)}. Stop it, or delete {home.ports} to have other ports chosen.")


def holder(port: int) -> str:
    """Who listens on the port, as `name (pid 1)`; another user's process cannot be named."""
    sockets = _listening(port)
    if not sockets:
        return "no listening process (a connection still closing)"
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(os.readlink(file) in sockets for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return "a process of another user"


def _listening(port: int) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENING and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found
