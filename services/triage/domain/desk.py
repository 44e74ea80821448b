"""What the desk may decide of a referral, and the facts that follow."""

from __future__ import annotations

import uuid
from typing import Any

from safeguarding.v1 import triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_SUPERVISOR
from safeguarding.v1.common_pb2 import GRADE_RED, GRADE_UNSPECIFIED, LAWFUL_BASIS_CONSENT, Standing
from safeguarding.v1.triage_pb2 import TriageFact
from services.chassis.deciding import Command, Context, Input, Refused, Why
from services.lifecycle import REFERRAL_MOVES, legal, require
from services.links import judge
from services.triage.domain.state import GRADE_WORDS, AreaRules, State, to_decide

LEGS = uuid.UUID("7f0e7d5a-9f6b-5f0a-8c57-0a0f5e9f6d11")
"""Namespace of leg ids."""
MOST_SAID = 200
"""Facts of people's doing about one referral, as many as a raiser may add: a document that no store takes would stop
triage for everybody. What leads it to partners or to its end, and a higher grade, are taken still: there is an end to
them."""
FOR_EVER = ("RequestInformation", "Reopen", "ConfirmLink", "RejectLink", "RecordThrive")
SAID_ENOUGH = "there are too many records of it", "bring it to its end, and raise what is new as another concern"


def commanded(state: State, given: Command, context: Context) -> list[TriageFact]:
    """The facts that a command leads to; raises Refused, with the moves that are legal now."""
    if state.known.raised is None or state.grade == GRADE_UNSPECIFIED:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral of the worklist", field="referral_id")
    body: Any = given.body
    name = type(body).__name__.removesuffix("Request")
    require(REFERRAL_MOVES, name, state.where, given.actor.role, but=barred(state))
    match body:
        case triage_pb2.OverrideGradeRequest():
            return _override(state, given, body, context)
        case triage_pb2.RequestInformationRequest():
            answer_by = context.rules.until("answer", context.now, state.known.council)
            asked = triage_pb2.InformationRequested(
                question=given.sealed, answer_by=answer_by, supplied_before=state.known.supplied
            )
            return [TriageFact(information_requested=asked)]
        case triage_pb2.TakeNoFurtherActionRequest():
            return _take_no_further_action(state, given, body)
        case triage_pb2.RouteRequest():
            return _route(state, given, body, context.rules)
        case triage_pb2.ReopenRequest():
            decide_by = to_decide(state.grade, state.known, context)
            reopened = triage_pb2.Reopened(note=given.sealed, decide_by=decide_by, closings=state.closings)
            return [TriageFact(reopened=reopened)]
        case triage_pb2.ConfirmLinkRequest() | triage_pb2.RejectLinkRequest():
            return [judge(state.links, body, _legal(state, given))]
        case triage_pb2.RecordThriveRequest():
            return [TriageFact(thrive_recorded=triage_pb2.ThriveRecorded(thrive=given.sealed))]
        case triage_pb2.EnterInErrorRequest():
            return [TriageFact(entered_in_error=triage_pb2.EnteredInError(note=given.sealed))]
        case _:
            raise TypeError(f"triage knows no {type(body).__name__}")


def barred(state: State) -> dict[str, tuple[str, str]]:
    """What the state alone would allow and something else bars, each with what is wrong and what would be right."""
    found = {"RecordTold": ("triage records nothing of it", "tell partner-routing")}
    if state.said >= MOST_SAID:
        found |= dict.fromkeys(FOR_EVER, SAID_ENOUGH)
    if not state.links:
        found |= dict.fromkeys(("ConfirmLink", "RejectLink"), ("no link was suggested", "judge a link that it has"))
    if state.awaiting_information:
        found["RequestInformation"] = "a question is open", "wait for the answer"
    if state.services and not state.came_back:
        found["TakeNoFurtherAction"] = "partners were asked already", "recall the legs, or let them finish"
    return found


def _override(
    state: State, given: Command, body: triage_pb2.OverrideGradeRequest, context: Context
) -> list[TriageFact]:
    if body.grade == state.grade:
        raise Refused(
            Why.ILLEGAL, "the referral has this grade", "name another grade", field="grade", legal=_legal(state, given)
        )
    if body.grade < state.grade:
        _may_lower(state, given, body, context.rules)
    decide_by = to_decide(body.grade, state.known, context)
    graded = triage_pb2.Graded(grade=body.grade, overridden=True, reason=given.sealed, decide_by=decide_by)
    return [TriageFact(graded=graded)]


def _may_lower(state: State, given: Command, body: triage_pb2.OverrideGradeRequest, rules: AreaRules) -> None:
    if not body.reason.strip():
        raise Refused(Why.INVALID, "a lower grade without a reason", "say why it is less urgent", field="reason")
    if state.grade == GRADE_RED and given.actor.role != ROLE_SUPERVISOR:
        raise Refused(Why.FORBIDDEN, "only a supervisor lowers a RED grade", "ask a supervisor")
    if state.said >= MOST_SAID:
        raise Refused(Why.ILLEGAL, *SAID_ENOUGH, field="grade", legal=_legal(state, given))
    known = state.known
    concern = state.concern
    floor = GRADE_UNSPECIFIED
    if concern is not None and known.raiser is not None:
        floor = rules.assess(concern, known.raiser, state.at_place, state.by_several).floor
    if body.grade < floor:
        raise Refused(
            Why.ILLEGAL,
            f"a rule that fired holds this referral at {GRADE_WORDS[floor].upper()}",
            "judgement may raise this grade, and never lowers it",
            field="grade",
            legal=_legal(state, given),
        )


def _take_no_further_action(
    state: State, given: Command, body: triage_pb2.TakeNoFurtherActionRequest
) -> list[TriageFact]:
    if state.grade == GRADE_RED and given.actor.role != ROLE_SUPERVISOR:
        raise Refused(Why.FORBIDDEN, "only a supervisor ends a RED referral", "ask a supervisor")
    return [
        TriageFact(
            no_further_action=triage_pb2.NoFurtherActionTaken(
                reason=body.reason, note=given.sealed, came_back_leg_ids=sorted(state.came_back)
            )
        )
    ]


def _route(state: State, given: Command, body: triage_pb2.RouteRequest, rules: AreaRules) -> list[TriageFact]:
    wanted = [leg.service for leg in body.legs]
    if len(set(wanted)) < len(wanted) or state.services.intersection(wanted):
        raise Refused(
            Why.ILLEGAL,
            "a leg for this kind of partner exists",
            "name kinds that were not asked yet",
            field="legs",
            legal=_legal(state, given),
        )
    consents = state.known.consents
    if not consents and any(leg.basis == LAWFUL_BASIS_CONSENT for leg in body.legs):
        raise Refused(
            Why.ILLEGAL,
            "the person has not agreed, so a leg cannot rest on consent",
            "another basis where one carries it, such as safeguarding; or ask, and amend the concern",
            field="legs",
            legal=_legal(state, given),
        )
    legs = [
        triage_pb2.RequestedLeg(
            leg_id=leg_id(given, leg.service),
            service=leg.service,
            purpose=leg.purpose,
            basis=leg.basis,
            necessity=leg.necessity,
            respond_clock=f"respond_{GRADE_WORDS[state.grade]}",
            without_consent=_ground(state, given, leg, rules),
            if_consent_ends=_only_ground(rules, leg.basis) if consents else None,
        )
        for leg in body.legs
    ]
    routed = triage_pb2.Routed(
        legs=legs, intake_sequence=state.known.sequence, came_back_leg_ids=sorted(state.came_back)
    )
    return [TriageFact(routed=routed)]


def _ground(state: State, given: Command, leg: triage_pb2.DeskLeg, rules: AreaRules) -> Standing | None:
    """Why it goes ahead although the person has not agreed: what the desk names, or the basis's only ground."""
    possible = () if state.known.consents else rules.grounds(leg.basis)
    if leg.without_consent and leg.without_consent not in {each.id for each in possible}:
        agreed = "the person agreed: leave without_consent out"
        right = agreed if state.known.consents else f"one of {', '.join(each.id for each in possible) or 'none'}"
        wrong = f"{leg.without_consent} is no reason to go ahead without consent here"
        raise Refused(Why.INVALID, wrong, right, field="legs.without_consent")
    if len(possible) > 1 and not leg.without_consent:
        raise Refused(
            Why.ILLEGAL,
            "the person has not agreed, and the leg says nothing of why it goes ahead all the same",
            f"without_consent: one of {', '.join(each.id for each in possible)}",
            field="legs.without_consent",
            legal=_legal(state, given),
        )
    return next((each for each in possible if leg.without_consent in ("", each.id)), None)


def _only_ground(rules: AreaRules, basis: int) -> Standing | None:
    """The reason to go ahead without consent, where the basis has just one; among several a person chooses."""
    possible = rules.grounds(basis)
    return possible[0] if len(possible) == 1 else None


def _legal(state: State, given: Command) -> list[str]:
    return legal(REFERRAL_MOVES, state.where, given.actor.role, barred(state))


def leg_id(given: Input, service: int) -> str:
    """The id of the leg for a kind of partner that this input asks for."""
    return str(uuid.uuid5(LEGS, f"{given.referral_id}/{given.cause_id}/{service}"))
