"""Health is one verdict over named conditions, the same for gRPC, HTTP and metrics."""

import json
import socket
from collections.abc import Generator
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from services.chassis.health import Health
from services.chassis.http import HttpServer
from services.chassis.metrics import Metrics

LOOPBACK = "127.0.0.1"


@pytest.fixture
def health() -> Health:
    return Health(metrics=Metrics(CollectorRegistry()))


@pytest.fixture(scope="module")
def served() -> Health:
    return Health(metrics=Metrics(CollectorRegistry()))


@pytest.fixture(scope="module")
def server(served: Health) -> Generator[HttpServer, None, None]:
    made = HttpServer(f"{LOOPBACK}:0", served, Metrics(CollectorRegistry()))
    made.start()
    yield made
    made.stop()


def get(server: HttpServer, path: str) -> tuple[int, str]:
    connection = HTTPConnection(LOOPBACK, server.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_is_ready_when_every_condition_holds_and_only_then(health: Health) -> None:
    verdicts = [health.ready]
    for condition in health.conditions():
        health.set(condition, ready=True)
        verdicts.append(health.ready)
    health.set("broker", ready=False)

    assert verdicts == [False, False, False, False, True]
    assert not health.ready
    assert health.conditions() == {"store": True, "broker": False, "engine": True, "stream": True}


def test_a_service_without_a_stream_names_its_own_conditions() -> None:
    health = Health(["store"], Metrics(CollectorRegistry()))
    health.set("store", ready=True)

    assert health.ready
    with pytest.raises(KeyError):
        health.set("stream", ready=True)


def test_what_stays_as_it_is_is_told_of_once(health: Health) -> None:
    with capture_logs() as told:
        for ready in (False, True, True, False):
            health.set("store", ready=ready)

    assert [line["ready"] for line in told] == [True, False]


def test_a_stopping_service_is_not_ready_whatever_holds() -> None:
    health = Health(["store"], Metrics(CollectorRegistry()))
    health.set("store", ready=True)
    health.stop()

    assert not health.ready


def test_readiness_by_http_names_the_conditions(served: Health, server: HttpServer) -> None:
    status, body = get(server, "/readyz")
    for condition in served.conditions():
        served.set(condition, ready=True)

    assert status == 503
    assert json.loads(body) == {"ready": False, "conditions": dict.fromkeys(served.conditions(), False)}
    assert get(server, "/readyz")[0] == 200


def test_a_living_process_says_so_while_it_is_not_ready(served: Health, server: HttpServer) -> None:
    served.set("broker", ready=False)

    assert get(server, "/healthz") == (200, '{"alive": true}')


def test_metrics_are_served(server: HttpServer) -> None:
    status, body = get(server, "/metrics")

    assert status == 200
    for name in ("referrals_engine_turn_seconds", "referrals_publish_wait_seconds", "referrals_rpc_seconds"):
        assert name in body


def test_another_path_is_not_found_and_told_what_there_is(server: HttpServer) -> None:
    assert get(server, "/env") == (404, "try /metrics, /healthz or /readyz")


def test_a_taken_port_is_an_error(health: Health) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            HttpServer(f"{LOOPBACK}:{port}", health)
