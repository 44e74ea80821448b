"""When there is an outcome, by when it must be told, and when the referral is closed."""

from __future__ import annotations

from datetime import datetime

from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER, NOT_TOLD_REASON_ANONYMOUS
from safeguarding.v1.procedure_pb2 import STAGE_CLOSED
from safeguarding.v1.routing_pb2 import Closed, OutcomeKnown, OutcomeTold, RoutingFact
from services.partner_routing.domain.offers import AreaRules
from services.partner_routing.domain.state import State

TELL_CLOCK = "tell"


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
        names, _ = rules.procedure_clocks(STAGE_CLOSED)
        started = [rules.until(name, now, state.known.council) for name in names]
        facts.append(RoutingFact(closed=Closed(legs=len(state.current), started=started)))
    return facts
