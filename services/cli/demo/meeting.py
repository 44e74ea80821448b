"""What the desk sends to confer with a partner and to accompany a victim. Pure, but for the time of day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from safeguarding.v1.procedure_pb2 import (
    AgendaItem,
    CallConferenceRequest,
    CompleteDecisionRequest,
    ConferenceDecision,
    RecordConferenceRequest,
)
from safeguarding.v1.routing_pb2 import (
    ContactNamed,
    NeedsAssessed,
    PreferenceStated,
    RecordVictimStepRequest,
    RightsExplained,
    VictimStep,
)
from services.cli.demo.play import Course
from services.cli.scenario import Accompany, Confer


def called(course: Course, action: Confer, leg_id: str) -> CallConferenceRequest:
    """A conference now, with the partner of one leg."""
    return CallConferenceRequest(
        idempotency_key=_key(course, "call"),
        referral_id=course.referral_id,
        stage=action.stage,
        at=_at(timedelta()),
        leg_ids=[leg_id],
        agenda=[AgendaItem(topic=topic) for topic in action.agenda],
    )


def held(course: Course, action: Confer, leg_id: str, conference_id: str) -> RecordConferenceRequest:
    """It was held: one decision, which the partner owns, and minutes."""
    return RecordConferenceRequest(
        idempotency_key=_key(course, "held"),
        referral_id=course.referral_id,
        conference_id=conference_id,
        attended_leg_ids=[leg_id],
        decisions=[ConferenceDecision(action=action.decision, owner_leg_id=leg_id, by=_at(timedelta(days=1)))],
        minutes=action.minutes,
    )


def decision_done(course: Course, conference_id: str) -> CompleteDecisionRequest:
    """What it decided is done."""
    return CompleteDecisionRequest(
        idempotency_key=_key(course, "done"), referral_id=course.referral_id, conference_id=conference_id, number=1
    )


def first_steps(action: Accompany) -> Sequence[VictimStep]:
    """Somebody is there for the victim: how to reach them, what they need and which rights they have."""
    return (
        VictimStep(contact_named=ContactNamed(contact_id=action.contact)),
        VictimStep(preference_stated=PreferenceStated(preference=action.prefers)),
        VictimStep(needs_assessed=NeedsAssessed(needs=action.needs)),
        VictimStep(rights_explained=RightsExplained(rights=action.rights)),
    )


def victim_step(course: Course, subject: int, step: VictimStep) -> RecordVictimStepRequest:
    """One step of one victim's journey."""
    step.subject = subject
    return RecordVictimStepRequest(
        idempotency_key=_key(course, step.WhichOneof("step") or ""), referral_id=course.referral_id, step=step
    )


def _key(course: Course, what: str) -> str:
    return f"{course.raising.idempotency_key}-{what}"[-100:]


def _at(later: timedelta) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + later)
    return moment
