"""What a triage decision costs as referrals grow, and its round trips: the short form of tests/matching/cost.py."""

from __future__ import annotations

import pytest

from services.cli.local.stack import Stack
from tests.matching.cost import compared

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

MOST_TIMES = 2.0
"""Keeps what was reached from getting worse. The figure asked for is 1.5 at 100,000, and docs/matching.md says how far
the local store is from it."""
EXTRA_ROUND_TRIPS = {"insert": 1, "update": 1, "find": 2}
"""Of a batch: the index's insert, its update and read, and one read of candidates."""


def test_more_earlier_referrals_cost_less_than_twice_and_no_more_round_trips(store: Stack) -> None:
    store.wait_ready(["mongo"])
    benches = compared(store.mongo_url, 200, 4_000, batches=8, size=25)
    fewer, more = benches

    assert fewer.linked
    assert more.linked
    for bench in benches:
        batches = len(bench.times)
        sent = bench.commands.counts
        assert sent["find"] <= batches * EXTRA_ROUND_TRIPS["find"]
        assert sent["insert"] <= batches * (1 + EXTRA_ROUND_TRIPS["insert"])
        # One more where an idle engine raises `published` by itself.
        assert sent["update"] <= batches * (2 + EXTRA_ROUND_TRIPS["update"])
        assert len(bench.linking.keys.opened) >= batches
    assert min(more.times) / min(fewer.times) < MOST_TIMES
