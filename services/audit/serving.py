"""Serves the log's checkpoint and tiles to anyone, read-only, as c2sp.org/tlog-tiles says; entries never."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import ThreadingHTTPServer

from services.audit.log import tiles
from services.audit.log.reader import LogBroken
from services.audit.published import Published
from services.chassis import logs
from services.chassis.engine.away import Away
from services.chassis.listening import Handler, Listening, place_of

log = logs.get(__name__)

MOST_AT_ONCE = 64
FOR_EVER = "public, max-age=31536000, immutable"
NOT_KEPT = "no-cache"


class LogServer(Listening):
    """Serves in threads of its own from `start` to `stop`. Raises OSError where the port is taken."""

    def __init__(self, address: str, published: Published) -> None:
        super().__init__(_Server(place_of(address), published), "log-http")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], published: Published) -> None:
        self.published = published
        self.places = threading.BoundedSemaphore(MOST_AT_ONCE)
        super().__init__(address, _Handler)


class _Handler(Handler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        if not self.server.places.acquire(blocking=False):
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"too many ask at once", NOT_KEPT)
            return
        try:
            self._serve(self.path.removeprefix("/"))
        finally:
            self.server.places.release()

    def _serve(self, path: str) -> None:
        if path.startswith(f"{tiles.TILES}/{tiles.ENTRIES}/"):
            said = b"entries name partners: auditors read them by the RPC Audit/GetEntries"
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", said, NOT_KEPT)
            return
        try:
            body = self.server.published.file(path)
        except (Away, LogBroken, OSError) as error:
            log.warning("log_not_served", error=type(error).__name__)
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"the log cannot be read now", NOT_KEPT)
            return
        if body is None:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"try /checkpoint", NOT_KEPT)
        elif path == tiles.CHECKPOINT:
            self._answer(HTTPStatus.OK, "text/plain; charset=utf-8", body, NOT_KEPT)
        else:
            self._answer(HTTPStatus.OK, "application/octet-stream", body, FOR_EVER)

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes, cache: str) -> None:
        self.answer(status, content_type, body, {"Cache-Control": cache})
