"""Every metric of the chassis, in one typed list; a service adds none under another roof."""

from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

# From a lone command on an idle machine to the longest deadline.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)


class Metrics:
    """The list. Labels are codes and ids of ours, never people, so their number has an end."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.registry = registry
        self.turns = Counter("referrals_engine_turns", "Turns of the engine", registry=registry)
        self.turn_seconds = Histogram(
            "referrals_engine_turn_seconds",
            "One turn, from taking to answering",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "referrals_engine_batch_inputs", "Inputs taken by one turn", buckets=_SIZES, registry=registry
        )
        self.inputs = Counter(
            "referrals_engine_inputs",
            "By kind (command, upstream, reply, clock) and result (decided, repeated, refused, parked)",
            ["kind", "result"],
            registry=registry,
        )
        self.queue = Gauge("referrals_engine_queue_depth", "Inputs that wait for a turn", registry=registry)
        self.publish_seconds = Histogram(
            "referrals_publish_wait_seconds",
            "Wait for the broker's acknowledgement",
            buckets=_SECONDS,
            registry=registry,
        )
        self.published = Counter("referrals_published_records", "Records acknowledged", ["topic"], registry=registry)
        self.unpublished = Gauge(
            "referrals_unpublished_documents", "Documents with facts not yet acknowledged", registry=registry
        )
        self.store_seconds = Histogram(
            "referrals_store_wait_seconds",
            "Wait for the store, by operation (read, insert, update)",
            ["operation"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.conflicts = Counter(
            "referrals_store_conflicts", "Documents that another process had changed", registry=registry
        )
        self.parked = Counter("referrals_parked_records", "Records parked, by class", ["kind"], registry=registry)
        self.gaps = Gauge("referrals_gaps", "Referrals that wait for a missing fact", registry=registry)
        self.forks = Counter("referrals_forks", "Facts with a known sequence and another id", registry=registry)
        self.lag = Gauge(
            "referrals_consumer_lag_records",
            "Records not yet committed",
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
        self.ready = Gauge(
            "referrals_ready", "1 where the condition holds (store, broker, engine, stream)", ["condition"],
            registry=registry,
        )  # fmt: skip


METRICS: Final = Metrics()
"""The process's own; tests make theirs on a registry of their own."""
