"""What figures count of a referral: a few codes and times in its view, so that no fact is read to count it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.moments import moment
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.procedures import Conference
from services.partner_routing.domain.state import State
from services.quarters import quarter


def counted(state: State) -> dict[str, Any]:
    """Empty for what nobody raised, and for what was entered in error: that counts nowhere."""
    raised, raiser, at = state.known.raised, state.known.raiser, state.known.raised_at
    if raised is None or raiser is None or at is None or state.asked.hidden:
        return {}
    raised_at = moment(at)
    asked = state.asked
    return {
        "quarter": quarter(raised_at),
        "area": raised.area,
        "kind": raised.kinds[0] if raised.kinds else 0,
        "raiser": raiser.role,
        "grade": asked.grade,
        "decided": _seconds(raised_at, asked.decided_at),
        "in_time": asked.in_time,
        "repeat": bool(asked.same_person),
        "outcome": state.outcome_known,
        "conferences": [_conference(each) for each in state.procedures.conferences.values()],
        "told": [[audience, _told(state, audience)] for audience in sorted(state.audiences)],
        "legs": [_leg(leg) for leg in state.legs.values()],
    }


def _told(state: State, audience: int) -> str:
    if audience in state.told:
        return "not_told" if state.not_told.get(audience) else "late" if audience in state.overdue else "in_time"
    return "overdue" if audience in state.overdue else "waiting"


def _conference(conference: Conference) -> dict[str, Any]:
    return {
        "stage": conference.called.stage,
        "held": conference.held is not None,
        "decisions": [_done(conference, number) for number in conference.decisions],
    }


def _done(conference: Conference, number: int) -> str:
    over = conference.reached.get(number, 0) >= 100
    if number in conference.done:
        return "late" if over else "in_time"
    return "overdue" if over else "waiting"


def _leg(leg: Leg) -> dict[str, Any]:
    late = leg.answered_at is not None and leg.answered_at > moment(leg.offered.respond_by.at)
    return {
        "partner": leg.partner_id,
        "service": leg.offered.service,
        "state": leg.state,
        "declined": leg.declined,
        "outcome": leg.outcome,
        "answered": _seconds(leg.offered_at, leg.answered_at),
        "late": late,
    }


def _seconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(0, int((end - start).total_seconds()))
