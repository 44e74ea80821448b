"""Links between any two of the stack, which can be cut, delayed, slowed down or reset (docs/decisions/0011)."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

CHUNK = 64 * 1024
LATE_SECONDS = 0.25
SLOW_BYTES_A_SECOND = 40_000
RST = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 seconds: a close is a reset."""


@dataclass
class Link:
    """One listening port in front of another. `delay` and `rate` hold for what passes from then on."""

    name: str
    target: int
    port: int = 0
    is_open: asyncio.Event = field(default_factory=asyncio.Event)
    delay: float = 0.0
    rate: float = 0.0
    """Bytes a second; 0 for as fast as it goes."""
    connections: set[asyncio.StreamWriter] = field(default_factory=set)


class Proxies:
    """All links, on a thread of their own."""

    def __init__(self) -> None:
        self.links: dict[str, Link] = {}
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def add(self, name: str, target: int) -> int:
        """Listen in front of a port of this machine; the port to be used instead."""
        link = Link(name, target)
        self._run(self._serve(link))
        self.links[name] = link
        return link.port

    def cut(self, name: str) -> None:
        """Nothing passes any more, in either direction, and nobody is told."""
        self._loop.call_soon_threadsafe(self.links[name].is_open.clear)

    def heal(self, name: str) -> None:
        """As it was before anything was done to it; what was held back passes."""
        link = self.links[name]

        def healed() -> None:
            link.delay = link.rate = 0.0
            link.is_open.set()

        self._loop.call_soon_threadsafe(healed)

    def delay(self, name: str) -> None:
        """Everything comes a quarter of a second later."""
        self.links[name].delay = LATE_SECONDS

    def slow(self, name: str) -> None:
        """Little passes at a time."""
        self.links[name].rate = SLOW_BYTES_A_SECOND

    def reset(self, name: str) -> None:
        """Every connection ends with a reset."""
        self._run(self._reset(self.links[name]))

    def close(self) -> None:
        """End all connections and the thread."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, link: Link) -> None:
        link.is_open.set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._carry(link, reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self._servers.append(server)
        link.port = server.sockets[0].getsockname()[1]

    async def _carry(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await link.is_open.wait()
        try:
            onward, back = await asyncio.open_connection("127.0.0.1", link.target)
        except OSError:  # what is behind does not run: say so as it would itself
            _abort(writer)
            return
        ends = {writer, back}
        link.connections |= ends
        try:
            await asyncio.gather(_pump(link, reader, back), _pump(link, onward, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # one end is gone; the other must hear of it
        finally:
            link.connections -= ends
            for end in ends:
                _abort(end)

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        for link in self.links.values():
            await self._reset(link)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # so that what was aborted is closed, too

    async def _reset(self, link: Link) -> None:
        for connection in list(link.connections):
            _abort(connection)


async def _pump(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        await link.is_open.wait()
        if link.delay:
            await asyncio.sleep(link.delay)
        if link.rate:
            await asyncio.sleep(len(data) / link.rate)
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError(f"{link.name}: one end closed")


def _abort(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    writer.transport.abort()
