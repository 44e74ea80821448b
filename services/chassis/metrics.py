"""Every metric that is measured as it happens; what is only counted or looked at is in engine/observing.py."""

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram

# From a lone command on an idle machine to the longest deadline.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The list. Labels are codes and ids of ours, never people, so their number has an end."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.turn_seconds = Histogram(
            "referrals_engine_turn_seconds",
            "One turn of the engine, from taking to answering; one may be taken while another is published",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "referrals_engine_batch_inputs", "Inputs taken by one turn", buckets=_SIZES, registry=registry
        )
        self.publish_seconds = Histogram(
            "referrals_publish_wait_seconds",
            "Wait for the broker's acknowledgement",
            buckets=_SECONDS,
            registry=registry,
        )
        self.store_seconds = Histogram(
            "referrals_store_wait_seconds",
            "Wait for the store, by operation (load, save)",
            ["operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.lag = Gauge(
            "referrals_consumer_lag_records",
            "Records not yet handled",
            ["topic", "partition"],
            registry=registry,
        )
        self.rpc_seconds = Histogram(
            "referrals_rpc_seconds",
            "One RPC, from handler to answer, by method and status code",
            ["method", "code"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.area_files_refused = Gauge(
            "referrals_area_files_refused",
            "1 while the area's files are wrong and the last good ones stay in force",
            registry=registry,
        )
        self.ready = Gauge(
            "referrals_ready", "1 where the condition holds (store, broker, engine, stream)", ["condition"],
            registry=registry,
        )  # fmt: skip


METRICS: Final = Metrics()
"""The process's own; tests make theirs on a registry of their own."""
