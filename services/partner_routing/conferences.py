"""A case conference as the desk reads it, and as much of it as an invited partner may know."""

from __future__ import annotations

from safeguarding.v1 import procedure_pb2
from safeguarding.v1.concern_pb2 import Narrative
from services.chassis.keys import ReferralKeys
from services.chassis.sealing import open_part
from services.partner_routing.domain import State
from services.partner_routing.domain.procedures import Conference
from services.shields import SHIELDED, concerns


def shown(conference: Conference, minutes: str = "") -> procedure_pb2.Conference:
    """All of it, as the desk reads it."""
    found = _shown(conference)
    found.leg_ids.extend(conference.invited)
    if conference.held is not None:
        found.attended_leg_ids.extend(conference.held.attended_leg_ids)
    for decision in found.decisions:
        decision.owner_leg_id = conference.decisions[decision.number].owner_leg_id
    found.minutes = minutes
    return found


def shown_to(state: State, conference: Conference, leg_id: str, minutes: str) -> procedure_pb2.Conference:
    """What the partner of a leg may know: never who else was invited, came or does what was decided."""
    found = _shown(conference)
    found.leg_ids.append(leg_id)
    if conference.held is not None and leg_id in conference.held.attended_leg_ids:
        found.attended_leg_ids.append(leg_id)
    for decision in found.decisions:
        decision.yours = conference.decisions[decision.number].owner_leg_id == leg_id
        decision.owner_leg_id = leg_id if decision.yours else ""
    passed = conference.passed.get(leg_id)
    if passed is not None:
        hidden = hidden_from(state, leg_id)
        found.rule = SHIELDED if passed.given and hidden else passed.rule
        found.minutes = minutes if passed.given and not hidden else ""
    return found


def hidden_from(state: State, leg_id: str) -> bool:
    """True where something is shielded from the leg's partner by now: minutes may name it."""
    return concerns(state.shields, state.legs[leg_id].partner_id)


def may_have(state: State, conference: Conference, leg_id: str) -> bool:
    """True where the partner of the leg was given the minutes, and still may read them."""
    passed = conference.passed.get(leg_id)
    return passed is not None and passed.given and not hidden_from(state, leg_id)


def minutes_of(conference: Conference, keys: ReferralKeys, referral_id: str) -> str:
    """What was said; empty where nothing was written, or where it was erased."""
    if conference.held is None or not conference.held.HasField("minutes"):
        return ""
    found = open_part(keys, referral_id, conference.held.minutes, Narrative)
    return found.text if found is not None else ""


def _shown(conference: Conference) -> procedure_pb2.Conference:
    called, held = conference.called, conference.held
    return procedure_pb2.Conference(
        conference_id=conference.id,
        stage=called.stage,
        at=called.at,
        held_at=held.held_at if held is not None else None,
        agenda=called.agenda,
        decisions=[
            procedure_pb2.DecisionAsItStands(
                number=number, action=decision.action, by=decision.by, done=number in conference.done
            )
            for number, decision in conference.decisions.items()
        ],
    )
