"""What the desk and partners may record of stages and case conferences, and the facts that follow."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from safeguarding.v1 import procedure_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import Actor, FieldGroup
from safeguarding.v1.procedure_pb2 import (
    STAGE_ADULT_MEETING,
    STAGE_CASE_REVIEW_HELD,
    STAGE_CHANNEL_PANEL,
    STAGE_CLOSED,
    STAGE_CORE_GROUP,
    STAGE_INITIAL_CONFERENCE,
    STAGE_MAPPA_MEETING,
    STAGE_MARAC,
    STAGE_PROFESSIONALS_MEETING,
    STAGE_RETENTION_REVIEWED,
    STAGE_REVIEW_CONFERENCE,
    STAGE_STRATEGY_DISCUSSION,
)
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import Command, Context, Refused, Why
from services.lifecycle import Leg as Stands
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.offers import AreaRules, disclosed_to
from services.partner_routing.domain.procedures import Conference
from services.partner_routing.domain.state import State
from services.shields import SHIELDED, concerns

CONFERENCES = uuid.UUID("b0f6f1c4-6f0c-5d0f-9a53-4b7a0a6f2e58")
"""Namespace of the ids of conferences."""
MEETINGS = frozenset(
    {
        STAGE_STRATEGY_DISCUSSION,
        STAGE_INITIAL_CONFERENCE,
        STAGE_CORE_GROUP,
        STAGE_REVIEW_CONFERENCE,
        STAGE_MARAC,
        STAGE_ADULT_MEETING,
        STAGE_CASE_REVIEW_HELD,
        STAGE_CHANNEL_PANEL,
        STAGE_MAPPA_MEETING,
        STAGE_PROFESSIONALS_MEETING,
    }
)
"""The stages that are meetings, and so may be called."""
WORKING = frozenset({Stands.ACCEPTED, Stands.IN_PROGRESS, Stands.ON_HOLD})
"""Where a leg was taken on, and its partner may speak of procedures."""
AHEAD = timedelta(minutes=5)
"""How far another's clock may be ahead of ours."""
NONE_WRITTEN = "none_written"


def record_stage(
    state: State, given: Command, body: procedure_pb2.RecordStageRequest, context: Context
) -> list[RoutingFact]:
    """A stage was reached: what must follow begins, and what led to it ends."""
    if given.actor.role == ROLE_PARTNER:
        leg = _own(state, body.leg_id, given.actor)
        if leg.stands not in WORKING:
            raise Refused(Why.ILLEGAL, "the leg was not taken on, or has ended", "accept it first", field="leg_id")
    else:
        _known(state)
    if body.leg_id:
        _open(state, [body.leg_id], "leg_id")
    _refuse_keeping(state, body.stage)
    at = _when(state, body, "happened_at", context.now)
    return [_reached(state, body.stage, body.leg_id, at, context.rules)]


def _refuse_keeping(state: State, stage: int) -> None:
    """That it was closed follows by itself; whether to keep its record is asked of what is closed."""
    if stage == STAGE_CLOSED:
        right = "a stage that somebody reaches, such as retention_reviewed"
        raise Refused(Why.INVALID, "a referral is closed by itself, once everybody was told", right, field="stage")
    if stage == STAGE_RETENTION_REVIEWED and not state.closed:
        right = "wait until it is closed; what is worked on is kept"
        raise Refused(Why.ILLEGAL, "the referral is not closed", right, field="stage")


def call_conference(
    state: State, given: Command, body: procedure_pb2.CallConferenceRequest, context: Context
) -> tuple[list[RoutingFact], list[RoutingFact]]:
    """A conference is called, and partners are invited: by their legs, and none that does not hold one."""
    _known(state)
    if body.stage not in MEETINGS:
        raise Refused(Why.INVALID, "this stage is no meeting", "a meeting, such as strategy_discussion", field="stage")
    if body.at.ToDatetime(UTC) < context.now - AHEAD:
        raise Refused(Why.INVALID, "this time is over", "a time to come; record what was held", field="at")
    legs = (
        _open(state, body.leg_ids, "leg_ids") if body.leg_ids else [leg for leg in state.legs.values() if leg.is_open]
    )
    if not legs:
        raise Refused(Why.ILLEGAL, "no partner holds an open leg", "route the referral first", field="leg_ids")
    conference_id = str(uuid.uuid5(CONFERENCES, f"{given.referral_id}/{given.cause_id}"))
    called = procedure_pb2.ConferenceCalled(
        conference_id=conference_id, stage=body.stage, at=body.at, agenda=body.agenda
    )
    invited = procedure_pb2.ConferenceInvited
    return [RoutingFact(conference_called=called)], [
        RoutingFact(conference_invited=invited(conference_id=conference_id, leg_id=leg.id)) for leg in legs
    ]


def record_conference(
    state: State, given: Command, body: procedure_pb2.RecordConferenceRequest, context: Context
) -> tuple[list[RoutingFact], list[RoutingFact]]:
    """What it decided; each invited partner that still holds its leg is given what its agreement lets it know."""
    _known(state)
    conference = _conference(state, body.conference_id)
    if conference.held is not None:
        raise Refused(Why.ILLEGAL, "it was recorded already", "call another conference", field="conference_id")
    foreign = set(body.attended_leg_ids) - set(conference.invited)
    if foreign:
        raise Refused(Why.INVALID, "they were not invited", "legs that were invited", field="attended_leg_ids")
    owners = {decision.owner_leg_id for decision in body.decisions} - {""}
    if owners - set(conference.invited):
        raise Refused(Why.INVALID, "the owner was not invited", "a leg that was, or none", field="decisions")
    held_at = _when(state, body, "held_at", context.now)
    if any(decision.by.ToDatetime(UTC) <= held_at for decision in body.decisions):
        raise Refused(Why.INVALID, "it is to be done before it was decided", "a later time", field="decisions")
    if body.leg_id:
        _open(state, [body.leg_id], "leg_id")
    held = procedure_pb2.ConferenceHeld(
        conference_id=conference.id,
        attended_leg_ids=list(dict.fromkeys(body.attended_leg_ids)),
        decisions=body.decisions,
        minutes=given.sealed,
    )
    held.held_at.FromDatetime(held_at)
    reached = _reached(state, conference.called.stage, body.leg_id, held_at, context.rules)
    first = [RoutingFact(conference_held=held), reached]
    return first, _passed(state, conference, context, written=given.sealed is not None)


def complete_decision(state: State, given: Command, body: procedure_pb2.CompleteDecisionRequest) -> list[RoutingFact]:
    """A decision was done; a partner may say so of its own, and learns of no other."""
    conference = state.procedures.conferences.get(body.conference_id)
    decision = conference.decisions.get(body.number) if conference is not None else None
    owner = decision.owner_leg_id if decision is not None else ""
    foreign = given.actor.role == ROLE_PARTNER and (
        owner not in state.legs or state.legs[owner].partner_id != given.actor.id
    )
    if conference is None or decision is None or foreign or state.asked.hidden:
        right = "a decision of a conference of the referral, counted from 1"
        raise Refused(Why.UNKNOWN, "no such decision", right, field="number")
    if body.number in conference.done:
        raise Refused(Why.ILLEGAL, "it was done already", "a decision that is open", field="number")
    done = procedure_pb2.DecisionDone(conference_id=conference.id, number=body.number, leg_id=owner)
    return [RoutingFact(decision_done=done)]


def _passed(state: State, conference: Conference, context: Context, *, written: bool) -> list[RoutingFact]:
    facts = []
    minutes = FieldGroup.FIELD_GROUP_NARRATIVE, 0
    for leg_id in conference.invited:
        leg = state.legs[leg_id]
        if not leg.is_open:
            continue
        disclosed = disclosed_to(state, leg.partner_id, state.request(leg), context.rules, context.now)
        given = {(group, number): rule for group, number, rule in disclosed.given}
        withheld = {(group, number): rule for group, number, rule in disclosed.withheld}
        gives, rule = minutes in given, given.get(minutes) or withheld.get(minutes, "default")
        if concerns(state.shields, leg.partner_id):
            gives, rule = False, SHIELDED
        if not written:
            gives, rule = False, NONE_WRITTEN
        passed = procedure_pb2.MinutesPassed(conference_id=conference.id, leg_id=leg_id, given=gives, rule=rule)
        facts.append(RoutingFact(minutes_passed=passed))
    return facts


def _reached(state: State, stage: Any, leg_id: str, at: datetime, rules: AreaRules) -> RoutingFact:
    starts, ends = rules.procedure_clocks(stage)
    stopped = sorted(set(ends) & set(state.procedures.clocks))
    reached = procedure_pb2.StageReached(stage=stage, leg_id=leg_id, stopped_clocks=stopped)
    reached.happened_at.FromDatetime(at)
    for name in starts:
        reached.started.append(rules.until(name, at, state.known.council))
    return RoutingFact(stage_reached=reached)


def _known(state: State) -> None:
    if state.known.raised is None or state.asked.hidden:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")


def _own(state: State, leg_id: str, actor: Actor) -> Leg:
    """The partner's own leg; foreign and absent answer alike."""
    leg = state.legs.get(leg_id)
    if leg is None or leg.partner_id != actor.id:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral, and a leg of yours", field="leg_id")
    return leg


def _open(state: State, leg_ids: Iterable[str], field: str) -> list[Leg]:
    found = [state.legs.get(leg_id) for leg_id in dict.fromkeys(leg_ids)]
    if any(leg is None for leg in found):
        raise Refused(Why.UNKNOWN, "no such leg", "name legs of this referral", field=field)
    legs = [leg for leg in found if leg is not None]
    if not all(leg.is_open for leg in legs):
        raise Refused(Why.ILLEGAL, "a leg has ended: its partner no longer takes part", "open legs", field=field)
    return legs


def _conference(state: State, conference_id: str) -> Conference:
    conference = state.procedures.conferences.get(conference_id)
    if conference is None:
        raise Refused(Why.UNKNOWN, "no such conference", "name one that was called", field="conference_id")
    return conference


def _when(state: State, body: Any, field: str, now: datetime) -> datetime:
    """When it happened: as was said, after it was raised and not in a time to come; now, where nothing was said."""
    if not body.HasField(field):
        return now
    at: datetime = getattr(body, field).ToDatetime(UTC)
    raised_at = state.known.raised_at
    if at > now + AHEAD or (raised_at is not None and at < raised_at.ToDatetime(UTC)):
        raise Refused(Why.INVALID, "it cannot have been then", "a time since it was raised, not to come", field=field)
    return min(at, now)


def seen_by(state: State, partner_id: str) -> Sequence[tuple[Conference, Leg]]:
    """The conferences to which a partner was invited, each with its leg, while it may still know of them."""
    legs = {leg.id: leg for leg in state.legs.values() if leg.partner_id == partner_id and leg.stands in _MAY_READ}
    return [
        (conference, legs[leg_id])
        for conference in state.procedures.conferences.values()
        for leg_id in conference.invited
        if leg_id in legs
    ]


_MAY_READ = WORKING | {Stands.OFFERED, Stands.RECEIVED, Stands.COMPLETED, Stands.FAILED}
"""What was taken back, declined or expired is no longer its partner's to read."""
