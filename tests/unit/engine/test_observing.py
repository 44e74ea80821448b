"""What shows of an engine from outside."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry

from services.chassis.engine.observing import EngineCollector, MetricsObserver
from services.chassis.metrics import Metrics
from tests.unit.engine.conftest import House


def test_a_scrape_shows_what_the_engine_counted_and_what_is_parked(house: House, referral: str) -> None:
    """Without a cost on the way."""
    registry = CollectorRegistry()
    registry.register(EngineCollector(house.engine, house.parked))
    house.hear(house.record(referral, 1), house.record(referral, 1), house.record(referral, 2, value=b"\xff")).result(
        60
    )

    def shown(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert shown("referrals_engine_total", what="applied") == 1
    assert shown("referrals_engine_total", what="repeated") == 1
    assert shown("referrals_parked_records", kind="unreadable") == 1
    assert shown("referrals_engine_queue_depth") == 0

    later = 4_000
    house.parked.took(house.record(referral, 3), later, "of a later version", datetime(2026, 1, 5, tzinfo=UTC))
    assert shown("referrals_parked_records", kind="unknown") == 1


def test_an_observer_feeds_the_histograms() -> None:
    """Seconds, by what was waited for."""
    metrics = Metrics(CollectorRegistry())
    observer = MetricsObserver(metrics)

    observer.turned(3, 0.1)
    observer.stored("save", 0.2)
    observer.published(4, 0.3)

    value = metrics.registry.get_sample_value
    assert value("referrals_engine_batch_inputs_sum") == 3
    assert value("referrals_store_wait_seconds_sum", {"operation": "save"}) == 0.2
    assert value("referrals_publish_wait_seconds_sum") == 0.3
