"""Metrics and health by plain HTTP on loopback, for scrapers and supervisors: /metrics /healthz /readyz."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.chassis.health import Health
from services.chassis.metrics import METRICS, Metrics

# A client that sends nothing holds its thread no longer than this, in seconds.
_PATIENCE = 5


class HttpServer:
    """Serves in a thread of its own from `start` to `stop`. Raises OSError where the port is taken."""

    def __init__(self, address: str, health: Health, metrics: Metrics = METRICS) -> None:
        host, _, port = address.rpartition(":")
        self._server = _Server((host.strip("[]"), int(port)), health, metrics)
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], health: Health, metrics: Metrics) -> None:
        self.health = health
        self.metrics = metrics
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _PATIENCE
    server_version = "referrals"
    sys_version = ""

    def do_GET(self) -> None:
        match self.path:
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.metrics.registry))
            case "/healthz":  # the process answers: that is all it says
                self._answer(HTTPStatus.OK, "application/json", b'{"alive": true}')
            case "/readyz":
                ready = self.server.health.ready
                body = {"ready": ready, "conditions": dict(self.server.health.conditions())}
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(body).encode())
            case _:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics, /healthz or /readyz")

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape every few seconds is no event."""
