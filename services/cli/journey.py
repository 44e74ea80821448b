"""`referrals journey`: one referral from raised to closed, with its legs, what each was given, and its clocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer

from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.common_pb2 import FieldGroup
from safeguarding.v1.procedure_pb2 import Conference, JourneyStage
from safeguarding.v1.routing_pb2 import (
    GetJourneyRequest,
    GetJourneyResponse,
    JourneyLeg,
    JourneyRight,
    JourneyStep,
    JourneyVictim,
)
from safeguarding.v1.routing_pb2_grpc import RoutingStub
from services.cli import showing
from services.cli.calling import As, Calls
from services.cli.raising import Referral
from services.cli.showing import Json


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(journey)


def journey(referral: Referral, who: As, *, as_json: Json = False) -> None:
    """The whole journey of a referral, without personal data. Leaves an access record."""
    with Calls(who) as calls:
        rpc = calls.stub(RoutingStub, "partner-routing").GetJourney
        found: GetJourneyResponse = calls.ask(rpc, GetJourneyRequest(referral_id=referral))
    if as_json:
        showing.print_json(found)
        return
    showing.line(f"{referral}: {showing.word(found, 'state')}, {showing.word(found, 'grade') or 'not graded'}")
    if found.graded_by:
        graded = ((each.id, each.words, each.source, _confirmed(each)) for each in found.graded_by)
        showing.table(("rule", "in words", "source", "confirmed"), graded, title="rules that gave the grade")
    showing.table(
        ("when", "who wrote", "what", "by", "leg"), (_step(found, step) for step in found.steps), title="facts"
    )
    victims = (
        *("victim", "contact", "to be reached", "enhanced", "rights explained", "told", "refer by", "tell by"),
        "still to do",
    )
    showing.table(victims, (_victim(victim) for victim in found.victims), title="victims")
    rights = [(victim.subject, right) for victim in found.victims for right in victim.applies]
    if rights:
        said = ("victim", "right", "in words", "stands", "explained", "source", "confirmed")
        showing.table(said, (_right(number, right) for number, right in rights), title="rights of victims")
    if found.stages or found.conferences:
        showing.table(("stage", "reached", "leg"), (_stage(each) for each in found.stages), title="stages")
        conferences = ("conference", "kind", "at", "held", "about", "decided", "done")
        showing.table(conferences, (_conference(each) for each in found.conferences), title="conferences")
    columns = (
        *("leg", "partner", "asked for", "stands", "answer by", "basis", "without consent", "by rules"),
        *("given", "withheld"),
    )
    showing.table(columns, (leg_row(leg) for leg in found.legs), title="legs")
    showing.table(
        ("clock", "told at"),
        ((showing.deadline(each.deadline), f"{each.percent}%") for each in found.reached),
        title="clocks that came far",
    )
    showing.table(
        ("clock", "in words", "source", "confirmed"),
        ((each.clock, each.words, each.source, _confirmed(each)) for each in found.stated),
        title="where clocks come from",
    )
    showing.table(("clock",), ((showing.deadline(clock),) for clock in found.clocks), title="clocks")


def _confirmed(stated: Any) -> str:
    return "yes" if stated.confirmed else f"no: {stated.unconfirmed_reason}"


def _step(found: GetJourneyResponse, step: JourneyStep) -> tuple[str, ...]:
    partners = {leg.leg_id: leg.partner_id for leg in found.legs}
    by = f"{showing.enum_word(Role.DESCRIPTOR, step.actor.role)}/{step.actor.id}" if step.actor.id else ""
    return showing.moment(step.at), step.writer, step.kind, by, partners.get(step.leg_id, step.leg_id)


def _stage(reached: JourneyStage) -> tuple[str, ...]:
    return showing.word(reached, "stage"), showing.moment(reached.happened_at), reached.leg_id


def _conference(each: Conference) -> tuple[Any, ...]:
    held = showing.moment(each.held_at) if each.HasField("held_at") else ""
    done = f"{sum(decision.done for decision in each.decisions)} of {len(each.decisions)}"
    about = [item.topic for item in each.agenda]
    decided = [decision.action for decision in each.decisions]
    return each.conference_id, showing.word(each, "stage"), showing.moment(each.at), held, about, decided, done


def _victim(victim: JourneyVictim) -> tuple[Any, ...]:
    groups = ", ".join(showing.standing(group) for group in victim.enhanced_by)
    why = "; ".join(filter(None, (groups, victim.enhanced_reason)))
    enhanced = ("yes" if victim.enhanced else "no") + (f": {why}" if why else "")
    rights = ", ".join(map(str, victim.rights))
    reach = showing.word(victim, "preference")
    refer = showing.deadline(victim.refer_by) if victim.HasField("refer_by") else ""
    until = showing.deadline(victim.update_by) if victim.HasField("update_by") else ""
    told = f"{victim.updates} times"
    who = f"{victim.subject} ({showing.standing(victim.victim_by)})" if victim.HasField("victim_by") else victim.subject
    return who, victim.contact_id, reach, enhanced, rights, told, refer, until, list(victim.to_do)


def _right(subject: int, right: JourneyRight) -> tuple[str, ...]:
    stands = "struck" if right.struck else "added" if right.added else "applies"
    said = f"{stands}: {right.reason}" if right.reason else stands
    explained = "yes" if right.explained else "no"
    return str(subject), str(right.number), right.words, said, explained, right.source, _confirmed(right)


def leg_row(leg: JourneyLeg) -> tuple[Any, ...]:
    """A leg of the journey as the table shows it, with what its partner was given, and what not."""
    stands = showing.word(leg, "state") + (" (escalated)" if leg.escalated else "")
    stands += " (joined)" if leg.joined else f" (came back: {showing.word(leg, 'came_back')})" if leg.came_back else ""
    asked, until = showing.word(leg, "service"), showing.deadline(leg.respond_by)
    basis = showing.word(leg, "basis")
    ground = showing.standing(leg.without_consent) if leg.HasField("without_consent") else ""
    rules = [showing.standing(rule) for rule in leg.rules] or "a person"
    said = (leg.leg_id, leg.partner_id, asked, stands, until, basis, ground, rules)
    return *said, _groups(leg.given), _groups(leg.withheld)


def _groups(found: Iterable[Any]) -> list[str]:
    """Field groups, with the subject's number where a group is a subject's."""
    return [
        showing.enum_word(FieldGroup.DESCRIPTOR, each.group) + (f" of {each.subject}" if each.subject else "")
        for each in found
    ]
