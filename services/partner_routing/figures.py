"""Figures: what is counted by what. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from statistics import median
from typing import Any

from safeguarding.v1 import insight_pb2
from safeguarding.v1.insight_pb2 import Figure
from safeguarding.v1.partner_pb2 import Audience
from safeguarding.v1.routing_pb2 import LegState
from services.chassis.language import DECLINES, GRADES, KINDS, OUTCOMES, ROLES, SERVICES, STAGES, EnumWords
from services.partner_routing.domain.conferring import MEETINGS
from services.tables import One, Plan

Referral = Mapping[str, Any]
"""What domain.counting keeps of one."""


RAISERS = ("officer", "volunteer", "public", "partner", "system")
AUDIENCES = EnumWords(Audience.DESCRIPTOR)
ENDED = {LegState.LEG_STATE_COMPLETED, LegState.LEG_STATE_FAILED}
ANSWERS = ("in_time", "late", "expired", "recalled", "waiting")


def plan(figure: int, areas: Iterable[str]) -> Plan:
    """What a figure counts; `areas` are all that the force has."""
    places, kinds, services = sorted(areas), list(KINDS), list(SERVICES)
    meetings = [word for word in STAGES if STAGES.number(word) in MEETINGS]
    match figure:
        case Figure.FIGURE_REACH:
            return Plan(places, RAISERS, lambda each: _one(each["area"], _word(ROLES, each["raiser"])))
        case Figure.FIGURE_GRADES:
            return Plan(places, list(GRADES), lambda each: _one(each["area"], _word(GRADES, each["grade"])))
        case Figure.FIGURE_DECISIONS:
            return Plan(list(GRADES), ("in_time", "late", "waiting"), _decisions)
        case Figure.FIGURE_ANSWERS:
            return Plan(services, ANSWERS, _answers)
        case Figure.FIGURE_DECLINES:
            return Plan(services, list(DECLINES), _declines)
        case Figure.FIGURE_OUTCOMES:
            return Plan(services, [*OUTCOMES, "failed"], _outcomes)
        case Figure.FIGURE_REPEATS:
            return Plan(kinds, ("first", "repeat"), _repeats)
        case Figure.FIGURE_TELLING:
            return Plan(list(AUDIENCES), ("in_time", "late", "not_told", "overdue", "waiting"), _telling)
        case Figure.FIGURE_CONFERENCES:
            return Plan(meetings, ("held", "called"), _conferences)
        case Figure.FIGURE_CONFERENCE_DECISIONS:
            return Plan(meetings, ("in_time", "late", "overdue", "waiting"), _conference_decisions)
        case _:
            raise ValueError(f"no figure {figure}")


def own_service(partner_id: str, referrals: Iterable[Referral]) -> insight_pb2.GetOwnServiceResponse:
    """What became of one partner's own legs."""
    legs = [leg for each in referrals for leg in each["legs"] if leg["partner"] == partner_id]
    states = Counter(leg["state"] for leg in legs)
    answered = [leg["answered"] for leg in legs if leg["answered"] is not None]
    late = sum(leg["late"] for leg in legs)
    ended = {"expired", "declined", "completed", "failed", "recalled"}
    by_state = {word: states[LegState.Value(f"LEG_STATE_{word.upper()}")] for word in sorted(ended)}
    return insight_pb2.GetOwnServiceResponse(
        offered=len(legs),
        in_time=len(answered) - late,
        late=late,
        open=len(legs) - sum(by_state.values()),
        median_seconds=int(median(answered)) if answered else None,
        **by_state,
    )


def _word(words: EnumWords, number: int) -> str:
    return words.word(number) if number else ""


def _one(row: str, column: str, seconds: int | None = None) -> Iterator[One]:
    if row and column:
        yield One(row, column, seconds)


def _decisions(each: Referral) -> Iterator[One]:
    how = "waiting" if each["decided"] is None else "in_time" if each["in_time"] else "late"
    return _one(_word(GRADES, each["grade"]), how, each["decided"])


def _answers(each: Referral) -> Iterator[One]:
    for leg in each["legs"]:
        state, answered = leg["state"], leg["answered"]
        how = "waiting"
        if answered is not None:
            how = "late" if leg["late"] else "in_time"
        elif state == LegState.LEG_STATE_EXPIRED:
            how = "expired"
        elif state == LegState.LEG_STATE_RECALLED:
            how = "recalled"
        yield One(_word(SERVICES, leg["service"]), how, answered)


def _declines(each: Referral) -> Iterator[One]:
    for leg in each["legs"]:
        if leg["declined"]:
            yield One(_word(SERVICES, leg["service"]), _word(DECLINES, leg["declined"]))


def _outcomes(each: Referral) -> Iterator[One]:
    for leg in each["legs"]:
        if leg["state"] in ENDED:
            how = _word(OUTCOMES, leg["outcome"]) or "failed"
            yield One(_word(SERVICES, leg["service"]), how)


def _repeats(each: Referral) -> Iterator[One]:
    return _one(_word(KINDS, each["kind"]), "repeat" if each["repeat"] else "first")


def _telling(each: Referral) -> Iterator[One]:
    if each["outcome"]:
        for audience, how in each["told"]:
            yield One(_word(AUDIENCES, audience), how)


def _conferences(each: Referral) -> Iterator[One]:
    for conference in each.get("conferences", ()):  # not in a view of before there were any
        yield One(_word(STAGES, conference["stage"]), "held" if conference["held"] else "called")


def _conference_decisions(each: Referral) -> Iterator[One]:
    for conference in each.get("conferences", ()):
        for how in conference["decisions"]:
            yield One(_word(STAGES, conference["stage"]), how)
