"""Looks at one's own, a colleague's or a well-known person's record are flagged, unless a task is linked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.message import Message

from safeguarding.v1 import access_pb2 as access
from safeguarding.v1.access_control_pb2 import (
    ROLE_AUDITOR,
    ROLE_OFFICER,
    ROLE_PARTNER,
    ROLE_PROTECTION,
    ROLE_SERVICE,
    ROLE_TRIAGE,
)
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.intake_pb2 import Raised, WatchedReferral
from safeguarding.v1.routing_pb2 import Closed, Offered
from safeguarding.v1.triage_pb2 import Graded, Reopened, Routed, TakenBack
from services import topics
from services.audit.anomalies import anomalies, may_be_flagged

REFERRAL = "00000000-0000-4000-8000-000000000001"
BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
READER = Actor(role=ROLE_TRIAGE, id="desk-4")
OTHER = Actor(role=ROLE_OFFICER, id="officer-1")
OWN, COLLEAGUES, WELL_KNOWN = (
    access.ANOMALY_OWN_RECORD,
    access.ANOMALY_COLLEAGUES_RECORD,
    access.ANOMALY_WELL_KNOWN,
)
OF: dict[int, WatchedReferral] = {
    OWN: WatchedReferral(referral_id=REFERRAL, staff=[READER]),
    COLLEAGUES: WatchedReferral(referral_id=REFERRAL, staff=[OTHER]),
    WELL_KNOWN: WatchedReferral(referral_id=REFERRAL, well_known=True),
}


def entry(kind: type[Message], minute: int, who: Actor, topic: str = topics.TRIAGE.name, **more: Any) -> TimelineEntry:
    made = TimelineEntry(
        topic=topic, type=kind.DESCRIPTOR.full_name, referral_id=REFERRAL, actor=who, event_id=f"e-{minute}", **more
    )
    made.occurred_at.FromDatetime(BEGAN + timedelta(minutes=minute))
    return made


def look(minute: int = 30, who: Actor = READER, method: str = "Routing/GetJourney", **more: Any) -> TimelineEntry:
    kinds = {"look": access.ACCESS_KIND_VIEWED, **more}
    return entry(access.AccessFact, minute, who, topics.access_topic("triage").name, method=method, **kinds)


def raised(by: Actor = OTHER) -> TimelineEntry:
    return entry(Raised, 0, by, topics.INTAKE.name)


def routed(by: Actor = OTHER, minute: int = 5) -> TimelineEntry:
    return entry(Routed, minute, by)


@pytest.mark.parametrize("anomaly", OF)
def test_a_reader_without_a_task_is_flagged(anomaly: int) -> None:
    assert anomalies(look(), OF[anomaly], [raised(), routed()]) == [anomaly]


@pytest.mark.parametrize("anomaly", OF)
@pytest.mark.parametrize(
    "task",
    [
        pytest.param([raised(READER), routed()], id="they raised it"),
        pytest.param([raised(), entry(Graded, 3, READER), routed()], id="they graded it"),
        pytest.param([raised(), routed(READER)], id="they routed it"),
    ],
)
def test_a_reader_who_wrote_a_fact_on_it_before_is_not(anomaly: int, task: list[TimelineEntry]) -> None:
    assert anomalies(look(), OF[anomaly], task) == []


def test_what_they_do_afterwards_is_no_task() -> None:
    assert anomalies(look(), OF[COLLEAGUES], [raised(), routed(), entry(Reopened, 40, READER)]) == [COLLEAGUES]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([raised()], id="just raised"),
        pytest.param([raised(), routed(), entry(TakenBack, 10, OTHER)], id="a leg came back"),
        pytest.param([raised(), routed(), entry(Reopened, 10, OTHER)], id="opened again"),
    ],
)
def test_the_desk_reads_what_lies_on_its_worklist_but_nobody_their_own(before: list[TimelineEntry]) -> None:
    assert anomalies(look(), OF[COLLEAGUES], before) == []
    assert anomalies(look(), OF[WELL_KNOWN], before) == []
    assert anomalies(look(), OF[OWN], before) == [OWN]


def test_the_worklist_is_the_desks_alone_and_ends() -> None:
    officer, closed = Actor(role=ROLE_OFFICER, id="pc-9"), entry(Closed, 20, OTHER, topics.ROUTING.name)

    assert anomalies(look(who=officer), OF[COLLEAGUES], [raised()]) == [COLLEAGUES]
    assert anomalies(look(), OF[COLLEAGUES], [raised(), entry(Reopened, 10, OTHER), closed]) == [COLLEAGUES]


def test_whoever_holds_a_leg_is_not_flagged() -> None:
    partner = Actor(role=ROLE_PARTNER, id="ash-school")
    offered = entry(Offered, 6, Actor(role=ROLE_SERVICE, id="partner-routing"), topics.ROUTING.name)
    offered.partner_id = partner.id

    assert anomalies(look(who=partner), OF[WELL_KNOWN], [raised(), routed(), offered]) == []
    assert anomalies(look(), OF[WELL_KNOWN], [raised(), routed(), offered]) == [WELL_KNOWN]


@pytest.mark.parametrize("role", [ROLE_AUDITOR, ROLE_PROTECTION])
def test_reviewers_read_who_looked_but_nobody_their_own(role: Any) -> None:
    who = Actor(role=role, id="reviewer-1")
    own = WatchedReferral(referral_id=REFERRAL, staff=[who])

    assert anomalies(look(who=who, method="Audit/Timeline"), OF[COLLEAGUES], [raised(), routed()]) == []
    assert anomalies(look(who=who, method="Audit/Timeline"), own, [raised(), routed()]) == [OWN]
    assert anomalies(look(who=who, method="Routing/GetJourney"), OF[COLLEAGUES], [raised(), routed()]) == [COLLEAGUES]


def test_a_colleague_who_is_well_known_too_is_flagged_for_both() -> None:
    both = WatchedReferral(referral_id=REFERRAL, staff=[OTHER], well_known=True)

    assert anomalies(look(), both, [raised(), routed()]) == [COLLEAGUES, WELL_KNOWN]


def test_only_a_persons_look_at_one_record_may_be_flagged() -> None:
    assert may_be_flagged(look())
    assert not may_be_flagged(look(look=access.ACCESS_KIND_SEARCHED))
    assert not may_be_flagged(look(look=access.ACCESS_KIND_FLAGGED))
    assert not may_be_flagged(look(who=Actor(role=ROLE_SERVICE, id="triage")))
    assert not may_be_flagged(look(method="Intake/GetReferral"))
    assert not may_be_flagged(raised())
