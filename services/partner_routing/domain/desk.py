"""What the desk decides of legs, shields and telling, and what follows when a raiser reads their outcome. Pure."""

from __future__ import annotations

from safeguarding.v1 import routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_TRIAGE
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import Command, Context, Refused, Why
from services.lifecycle import LEG_MOVES, legal, require
from services.partner_routing.domain.offers import AreaRules
from services.partner_routing.domain.state import State
from services.shields import same

RECALL_CLOCK = "recall"


def recalled(state: State, leg_id: str, reason: str, context: Context) -> RoutingFact:
    """The partner is to say that it stopped, and by when."""
    rules: AreaRules = context.rules
    acknowledge_by = rules.until(RECALL_CLOCK, context.now, state.known.council)
    return RoutingFact(recalled=routing_pb2.Recalled(leg_id=leg_id, reason=reason, acknowledge_by=acknowledge_by))


def read(state: State, given: Command) -> list[RoutingFact]:
    """The raiser reads the outcome under their own identity: reading it is being told."""
    if state.asked.hidden or not state.known.raised_by(given.actor):
        raise Refused(Why.UNKNOWN, "no such referral of yours", "name a referral that you raised", field="referral_id")
    if not state.outcome_known or AUDIENCE_RAISER in state.told:
        return []
    told = routing_pb2.OutcomeTold(audience=AUDIENCE_RAISER, read_by_themselves=True)
    return [RoutingFact(outcome_told=told)]


def record_told(state: State, body: routing_pb2.RecordToldRequest) -> list[RoutingFact]:
    """The desk told somebody, or says why not."""
    if state.known.raised is None:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
    audience = body.told.audience
    if not state.outcome_known:
        raise Refused(
            Why.ILLEGAL, "there is no outcome to tell yet", "wait until every leg has ended", legal=_legal(state)
        )
    if audience not in state.audiences or audience in state.told:
        raise Refused(
            Why.ILLEGAL,
            "they were told, or there is no such person",
            "name who is still to be told",
            field="told.audience",
            legal=_legal(state),
        )
    return [RoutingFact(outcome_told=routing_pb2.OutcomeTold(audience=audience, not_told=body.told.not_told))]


def recall(state: State, body: routing_pb2.RecallRequest, actor: Actor, context: Context) -> list[RoutingFact]:
    """The desk takes an open leg back."""
    leg = state.legs.get(body.leg_id)
    if leg is None:
        raise Refused(Why.UNKNOWN, "no such leg", "name a leg of this referral", field="leg_id")
    try:
        require(LEG_MOVES, "Recall", leg.stands, actor.role)
    except Refused as refused:
        right = "recall an open leg"
        raise Refused(Why.ILLEGAL, refused.wrong, right, field="leg_id", legal=_legal(state)) from None
    return [recalled(state, leg.id, body.reason, context)]


def shield(state: State, body: routing_pb2.ShieldRequest, actor: Actor) -> list[RoutingFact]:
    """Something is hidden from a party, or shown to it again; only who may take a shield away does."""
    hides = body.shield
    if state.known.raised is None or state.asked.hidden:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
    if hides.subject and hides.subject not in state.known.subjects:
        raise Refused(Why.INVALID, "no such subject", "0 for every subject, or its number", field="shield.subject")
    if body.lift and actor.role == ROLE_TRIAGE:
        raise Refused(Why.FORBIDDEN, "the desk takes no shield away", "ask a supervisor, or whoever protects data")
    hidden = any(same(hides, each) for each in state.shields)
    if body.lift and not hidden:
        raise Refused(Why.ILLEGAL, "nothing like this is hidden", "name a shield that it has", field="shield")
    if not body.lift and any(hides == each for each in state.shields):
        raise Refused(Why.ILLEGAL, "this is hidden already", "hide something else", field="shield")
    return [RoutingFact(shielded=routing_pb2.Shielded(shield=hides, reason=body.reason, lifted=body.lift))]


def _legal(state: State) -> list[str]:
    """What the desk may do about this referral's legs and outcome now."""
    moves = ["Recall"] if any(legal(LEG_MOVES, leg.stands, ROLE_TRIAGE) for leg in state.legs.values()) else []
    return [*moves, "RecordTold"] if state.outcome_known and not state.audiences <= state.told else moves
