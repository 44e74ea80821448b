"""kill -9 of each process in the middle of 2,000 referrals: nothing lost, nothing twice, all in order, unattended."""

from __future__ import annotations

import pytest

from services.topics import SERVICES
from tests.chaos import load, topics
from tests.chaos.faults import strike
from tests.chaos.load import Gate
from tests.chaos.recovering import Recovery
from tests.chaos.schedule import BROKER, STORE, Fault, Kind
from tests.chaos.world import World

REFERRALS = 2_000
VICTIMS = ("intake", BROKER, "triage", STORE, "partner-routing", "audit")
SETTLE_SECONDS = 90.0
RECOVERY_SECONDS = 60.0


@pytest.mark.integration
@pytest.mark.timeout(480)
def test_each_process_killed_in_the_middle_of_two_thousand_referrals_loses_and_repeats_nothing(world: World) -> None:
    assert set(VICTIMS) == {*SERVICES, BROKER, STORE}
    share = REFERRALS // len(VICTIMS)
    gate = Gate(load.planned(1, REFERRALS, run="kills"), 0)
    raisers = world.raise_all(gate)
    recoveries: list[Recovery] = []
    for number, victim in enumerate(VICTIMS):
        gate.allow(share * (number + 1))
        recoveries.append(strike(world, Fault(share * number + share // 2, Kind.KILL, victim), number, "kills"))
    gate.allow(REFERRALS)
    for raiser in raisers:
        raiser.join()

    settled = world.settle(SETTLE_SECONDS)
    verdict = world.ledger.verdict()
    facts = topics.facts(world.stack)

    assert verdict.said == ()
    assert settled
    assert verdict.clean
    assert verdict.acknowledged == REFERRALS + len(VICTIMS), "every concern and one canary a fault"
    assert (facts.duplicated, facts.out_of_order) == ([], [])
    assert facts.referrals >= world.ledger.ids
    assert not any(topics.parked(world.stack).values())
    late = [recovery for recovery in recoveries if recovery.seconds > RECOVERY_SECONDS]
    assert not late
    assert topics.timeline_holes(world.stack, 30) == []
