"""What triage's facts ask of routing: the grade, the legs, the questions to the raiser, and how it was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1.common_pb2 import GRADE_UNSPECIFIED, Deadline
from safeguarding.v1.triage_pb2 import SAMENESS_PERSON, FiredRule, RequestedLeg
from services.frozen import replace
from services.partner_routing.domain.leg import given


@dataclass(frozen=True)
class Asked:
    """What triage's facts say."""

    grade: int = GRADE_UNSPECIFIED
    fired: tuple[FiredRule, ...] = ()
    legs: tuple[RequestedLeg, ...] = ()
    intake_sequence: int = 0
    """The last of intake's facts that triage knew when it routed."""
    no_further_action: bool = False
    why_nothing: int = 0
    """Why no further action was taken, as NoFurtherActionReason."""
    hidden: bool = False
    """Entered in error."""
    questions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By leg: for each question that was put to the raiser, how often they had supplied information before."""
    decide_by: Deadline | None = None
    decided_at: datetime | None = None
    """When it was first decided who must know, or that nobody needs to."""
    in_time: bool = True
    same_person: frozenset[str] = frozenset()
    """Other referrals that seem to be about the same person, without those that a person rejected."""
    decided: frozenset[str] = frozenset()
    """The legs that had come back and about which the desk decided."""


NOTHING_ASKED = Asked()


def with_triage(asked: Asked, fact: Any) -> Asked:
    """What triage asks for after one more of its facts."""
    kind = fact.WhichOneof("fact")
    if kind in ("routed", "no_further_action") and asked.decided_at is None:
        at = fact.header.occurred_at.ToDatetime(UTC)
        in_time = asked.decide_by is None or at <= asked.decide_by.at.ToDatetime(UTC)
        asked = replace(asked, decided_at=at, in_time=in_time)
    match kind:
        case "graded":
            fired = asked.fired if fact.graded.overridden else tuple(fact.graded.fired)
            decide_by = given(fact.graded, "decide_by")
            return replace(asked, grade=fact.graded.grade, fired=fired, decide_by=decide_by)
        case "linked" if SAMENESS_PERSON in fact.linked.same:
            return replace(asked, same_person=asked.same_person | {fact.linked.other_referral_id})
        case "link_rejected":
            return replace(asked, same_person=asked.same_person - {fact.link_rejected.other_referral_id})
        case "routed":
            return replace(
                asked,
                legs=asked.legs + tuple(fact.routed.legs),
                intake_sequence=max(asked.intake_sequence, fact.routed.intake_sequence),
                no_further_action=False,
                decided=asked.decided.union(fact.routed.came_back_leg_ids),
            )
        case "information_requested" if fact.information_requested.leg_id:
            leg_id = fact.information_requested.leg_id
            before = (*asked.questions.get(leg_id, ()), fact.information_requested.supplied_before)
            return replace(asked, questions={**asked.questions, leg_id: before})
        case "no_further_action":
            decided = asked.decided.union(fact.no_further_action.came_back_leg_ids)
            why = fact.no_further_action.reason
            return replace(asked, no_further_action=True, why_nothing=why, decided=decided)
        case "reopened":
            return replace(asked, no_further_action=False)
        case "entered_in_error":
            return replace(asked, hidden=True)
        case _:
            return asked
