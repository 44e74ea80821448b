"""Victims are accompanied: which rights apply is suggested, and what was done for them is recorded. Pure."""

from __future__ import annotations

from datetime import UTC

from safeguarding.v1 import routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import Deadline
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import Command, Context, Refused, Why
from services.partner_routing.domain.offers import AreaRules
from services.partner_routing.domain.state import State
from services.partner_routing.domain.victims import ENHANCED, Victim, victims


def suggested(state: State, rules: AreaRules, *, learned: bool) -> list[RoutingFact]:
    """The rights that follow from what is known and that nobody has been told of yet, a fact for each victim.

    Most inputs tell nothing new of a concern: without `learned`, whoever was looked at already is left alone.
    """
    raised = state.known.raised
    if raised is None or state.asked.hidden:
        return []
    facts = []
    for number, subject in sorted(state.known.subjects.items()):
        victim, role = state.victims.get(number, Victim(number)), subject.role
        if victim.suggested and not learned:
            continue
        by = rules.victim_by(raised, role)
        if number not in accompanied(state) and by is None:
            continue
        known = {group.id for group in victim.enhanced_by}
        found = routing_pb2.RightsSuggested(
            subject=number,
            enhanced_by=[group for group in rules.enhanced(raised, role) if group.id not in known],
            victim_by=by,
        )
        for right in rules.rights(role, victim.happened):
            if right.number not in victim.suggested:
                until = _from_report(state, right.clock, rules) if right.clock else None
                found.rights.add(number=right.number, standing=right.standing, until=until, met_by=right.met_by)
        if found.rights or found.enhanced_by:
            facts.append(RoutingFact(rights_suggested=found))
    return facts


def accompanied(state: State) -> list[int]:
    """The numbers of the subjects who are victims, or count among them."""
    return sorted({*victims(state.known), *state.victims})


def record_step(
    state: State, given: Command, body: routing_pb2.RecordVictimStepRequest, context: Context
) -> list[RoutingFact]:
    """By the desk, or by the partner that leads on telling the victim; anybody else learns of no referral."""
    leads = {leg.partner_id for leg in state.current if leg.offered.lead}
    foreign = given.actor.role == ROLE_PARTNER and given.actor.id not in leads
    if state.known.raised is None or state.asked.hidden or foreign:
        raise Refused(Why.UNKNOWN, "no such referral", "name a referral", field="referral_id")
    number = body.step.subject
    if number not in accompanied(state):
        raise Refused(Why.INVALID, "no victim has this number", "a victim's or a business's", field="step.subject")
    victim = state.victims.get(number, Victim(number))
    _refuse_idle(state, victim, body.step)
    recorded = routing_pb2.VictimRecorded(step=body.step, safe_times=given.sealed)
    if body.step.WhichOneof("step") == "event_happened":
        _tell_in_time(victim, recorded, state, context)
    return [RoutingFact(victim_recorded=recorded)]


def _refuse_idle(state: State, victim: Victim, step: routing_pb2.VictimStep) -> None:
    """A step that would change nothing, or that is too early, is a mistake."""
    match step.WhichOneof("step"):
        case "updated" if victim.update_by is None:
            right = "record first what happened, with event_happened"
            raise Refused(Why.ILLEGAL, "nothing waits to be told", right, field="step.updated")
        case "satisfaction_asked" if not state.outcome_known:
            right = "ask once every leg has ended"
            raise Refused(Why.ILLEGAL, "it has not come to an end", right, field="step.satisfaction_asked")
        case "referred" if victim.waits_for_referral(state.asked_of) is None:
            right = "nothing: they were referred, or have no right to it"
            raise Refused(Why.ILLEGAL, "no referral waits", right, field="step.referred")
        case "right_added" | "right_struck" as kind if not getattr(step, kind).reason:
            right = "a code, such as wants_no_service"
            raise Refused(Why.INVALID, "a right is judged without a reason", right, field=f"step.{kind}.reason")
        case "right_added" if _has(victim, step.right_added.right):
            raise Refused(Why.ILLEGAL, "the right applies already", "name another", field="step.right_added.right")
        case "right_struck" if not _has(victim, step.right_struck.right):
            right = "name one that applies"
            raise Refused(Why.ILLEGAL, "the right does not apply", right, field="step.right_struck.right")


def _has(victim: Victim, number: int) -> bool:
    return victim.enhanced if number == ENHANCED else number in victim.applies


def _tell_in_time(victim: Victim, recorded: routing_pb2.VictimRecorded, state: State, context: Context) -> None:
    """Until when they must be told of an event, by the right under which they are; nothing where that was struck."""
    rules: AreaRules = context.rules
    number, clock = rules.telling(recorded.step.event_happened.event, enhanced=victim.enhanced)
    if not victim.struck(number):
        recorded.update_by.CopyFrom(rules.until(clock, context.now, state.known.council))
        recorded.update_right = number


def _from_report(state: State, clock: str, rules: AreaRules) -> Deadline:
    return rules.until(clock, state.known.raised_at.ToDatetime(UTC), state.known.council)
