"""Metrics and health by plain HTTP on loopback, for scrapers and supervisors: /metrics /healthz /readyz."""

import json
from http import HTTPStatus
from http.server import ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.chassis.health import Health
from services.chassis.listening import Handler, Listening, place_of
from services.chassis.metrics import METRICS, Metrics


class HttpServer(Listening):
    """Serves in a thread of its own from `start` to `stop`. Raises OSError where the port is taken."""

    def __init__(self, address: str, health: Health, metrics: Metrics = METRICS) -> None:
        super().__init__(_Server(place_of(address), health, metrics), "http")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], health: Health, metrics: Metrics) -> None:
        self.health = health
        self.metrics = metrics
        super().__init__(address, _Handler)


class _Handler(Handler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
        match self.path:
            case "/metrics":
                self.answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self.server.metrics.registry))
            case "/healthz":  # the process answers: that is all it says
                self.answer(HTTPStatus.OK, "application/json", b'{"alive": true}')
            case "/readyz":
                ready = self.server.health.ready
                body = {"ready": ready, "conditions": dict(self.server.health.conditions())}
                status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
                self.answer(status, "application/json", json.dumps(body).encode())
            case _:
                self.answer(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics, /healthz or /readyz")
