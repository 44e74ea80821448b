"""What small HTTP servers share: threads of their own, a bounded patience with clients, and short answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE_SECONDS = 5
"""A client that sends nothing holds its thread no longer than this."""


class Listening:
    """Serves in threads of its own from `start` to `stop`."""

    def __init__(self, server: ThreadingHTTPServer, thread: str) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, name=thread, daemon=True)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more. To be called after `start`."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """Answers with whole bodies, and logs nothing: who asks every few seconds, or reads public files, is no event."""

    timeout = PATIENCE_SECONDS
    server_version = "referrals"
    sys_version = ""

    def answer(self, status: HTTPStatus, content_type: str, body: bytes, more: Mapping[str, str] | None = None) -> None:
        """Send one answer; `more` are further headers."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def place_of(address: str) -> tuple[str, int]:
    """Host and port of host:port, also of [v6]:port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
