"""When there is an outcome, who learns it, and when the referral is closed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER, NOT_TOLD_REASON_ANONYMOUS, Outcome
from safeguarding.v1.routing_pb2 import Closed, OutcomeKnown, OutcomeTold, RoutingFact
from services.partner_routing.domain.leg import taken_up
from services.partner_routing.domain.offers import AreaRules
from services.partner_routing.domain.state import State

TELL_CLOCK = "tell"
PROFESSIONAL = frozenset({ROLE_OFFICER, ROLE_PARTNER, ROLE_SYSTEM})
"""Roles that learn how a referral ended; everyone else learns that it was acted on."""

WORDS: Mapping[int, str] = {
    Outcome.OUTCOME_MADE_SAFE: "the person was made safe",
    Outcome.OUTCOME_SUPPORTED: "the person is being supported",
    Outcome.OUTCOME_ADVICE_GIVEN: "advice was given",
    Outcome.OUTCOME_ASSESSMENT_OPENED: "an assessment was opened",
    Outcome.OUTCOME_ACTION_TAKEN: "action was taken",
    Outcome.OUTCOME_NO_NEED_FOUND: "it was looked into and no further need was found",
}
JOINED = "somebody works with the person already, and takes it into that"


def closing(state: State, rules: AreaRules, now: datetime) -> list[RoutingFact]:
    """The facts that end a referral, as far as it has come: the outcome is known, told, and all is closed."""
    if state.closed or not state.outcome_known:
        return []
    facts = []
    if state.tell_by is None:
        tell_by = rules.until(TELL_CLOCK, now, state.known.council)
        facts.append(RoutingFact(outcome_known=OutcomeKnown(tell_by=tell_by)))
    told = set(state.told)
    if state.known.raised is not None and state.known.raised.anonymous and AUDIENCE_RAISER not in told:
        told.add(AUDIENCE_RAISER)
        anonymous = OutcomeTold(audience=AUDIENCE_RAISER, not_told=NOT_TOLD_REASON_ANONYMOUS)
        facts.append(RoutingFact(outcome_told=anonymous))
    if state.audiences <= told:
        facts.append(RoutingFact(closed=Closed(legs=len(state.current))))
    return facts


def outcome_words(state: State, role: int) -> str:
    """What happened, in plain words fit for the role; empty until it is known."""
    if not state.outcome_known:
        return ""
    legs = state.current
    if not legs or (state.asked.no_further_action and not any(map(taken_up, legs))):
        return "We looked at what you told us and decided with care that nothing more is needed now. Thank you."
    if role not in PROFESSIONAL:
        return "What you told us was acted on. Thank you: it helped. We cannot share more, to protect those concerned."
    ends = [JOINED for leg in legs if leg.joined]
    ends += [WORDS[leg.outcome] for leg in legs if leg.outcome]
    if not ends:
        ends = ["the work could not be completed" if any(map(taken_up, legs)) else "it was passed on"]
    return f"Your concern was acted on: {'; '.join(dict.fromkeys(ends))}."
