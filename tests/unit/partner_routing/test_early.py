"""What intake raised may wait for what triage decides of it, whose keys are asked for meanwhile; nothing else waits."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.deciding import Upstream
from services.chassis.keys import Keys
from services.partner_routing.gather import Gatherer


class Asked(Keys):
    """Notes whose keys are asked for."""

    def __init__(self) -> None:
        self.expected: list[str] = []

    def expect(self, referral_ids: Collection[str]) -> None:
        """See Keys."""
        self.expected += referral_ids


@pytest.mark.parametrize(
    ("writer", "sequence", "early"), [("intake", 1, True), ("intake", 2, False), ("triage", 1, False)]
)
def test_only_what_was_raised_waits_and_its_keys_are_asked_for(writer: str, sequence: int, early: bool) -> None:
    keys = Asked()
    given = Upstream("referral", "cause", Actor(), writer, IntakeFact(), sequence)

    assert Gatherer(keys).early(given) is early
    assert keys.expected == (["referral"] if early else [])
