"""Whether the service can do its work now: named conditions and one verdict, for gRPC, HTTP and metrics."""

import threading
from collections.abc import Iterable, Mapping

from grpc_health.v1 import health_pb2
from grpc_health.v1.health import HealthServicer

from services.chassis import logs
from services.chassis.metrics import METRICS, Metrics

CONDITIONS = ("store", "broker", "engine", "stream")

_log = logs.get(__name__)


class Health:
    """Ready where every condition holds; none does at first. Thread-safe."""

    def __init__(self, conditions: Iterable[str] = CONDITIONS, metrics: Metrics = METRICS) -> None:
        self._holds = dict.fromkeys(conditions, False)
        self._metrics = metrics
        self._stopping = False
        self._lock = threading.Lock()
        self.servicer = HealthServicer()
        """For the gRPC server; SERVING and NOT_SERVING follow the verdict."""
        for condition in self._holds:
            metrics.ready.labels(condition).set(0)
        self._tell()

    def set(self, condition: str, *, ready: bool) -> None:
        """Note that a condition holds or not. Raises KeyError for one that was not named at the start."""
        with self._lock:
            if self._holds[condition] == ready:
                return
            self._holds[condition] = ready
            self._metrics.ready.labels(condition).set(ready)
            self._tell()
        _log.info("condition_changed", condition=condition, ready=ready)

    def stop(self) -> None:
        """Not serving from now on, whatever holds, so that callers go elsewhere while work is finished."""
        with self._lock:
            self._stopping = True
            self._tell()

    @property
    def ready(self) -> bool:
        """Whether all conditions hold."""
        with self._lock:
            return self._verdict()

    def conditions(self) -> Mapping[str, bool]:
        """What holds at present."""
        with self._lock:
            return dict(self._holds)

    def _verdict(self) -> bool:
        return not self._stopping and all(self._holds.values())

    def _tell(self) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        self.servicer.set("", serving if self._verdict() else not_serving)
