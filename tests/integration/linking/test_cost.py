"""What a triage decision costs in round trips as referrals grow; `python -m tests.matching.cost` says what in time."""

from __future__ import annotations

import pytest

from services.cli.local.stack import Stack
from tests.matching.cost import compared

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

EXTRA_ROUND_TRIPS = {"insert": 1, "update": 1, "find": 2}
"""Of a batch: the index's insert, its update and read, and one read of candidates."""


def test_more_earlier_referrals_cost_no_more_round_trips(store: Stack) -> None:
    store.wait_ready(["mongo"])
    benches = compared(store.mongo_url, 200, 1_000, batches=4, size=25)
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
