"""Who is offered a leg, and what that partner's agreement lets it know."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from safeguarding.v1.common_pb2 import (
    CAME_BACK_REASON_CONSENT_ENDED,
    CAME_BACK_REASON_LEAD_SILENT,
    CAME_BACK_REASON_NOBODY_LEFT,
    CameBackReason,
    Deadline,
    FieldGroup,
    Shield,
    Standing,
)
from safeguarding.v1.intake_pb2 import Raised
from safeguarding.v1.routing_pb2 import CameBack, Given, InformationPassed, Offered, RoutingFact, Withheld
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.known import Known
from services.partner_routing.domain.consent import ground, stopped
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.state import State
from services.shields import SHIELDED, hides

LEGS = uuid.UUID("2f4d1a0b-6d6c-5d5e-8a3d-6f0f9d2f6c77")
"""Namespace of the ids of legs that take another's place."""


class Partner(Protocol):
    """A partner, as a decision sees it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def lead(self) -> bool:
        """True for an area's lead agency."""
        ...

    @property
    def council(self) -> str:
        """The council by whose calendar it works, where that is not always the concern's; else empty."""
        ...


class Disclosed(Protocol):
    """What an agreement gives and withholds: (group, subject number or 0, rule)."""

    @property
    def given(self) -> Sequence[tuple[Any, int, str]]:
        """What is given."""
        ...

    @property
    def withheld(self) -> Sequence[tuple[Any, int, str]]:
        """What is withheld."""
        ...


class Right(Protocol):
    """A right that applies."""

    @property
    def number(self) -> int:
        """1 to 12."""
        ...

    @property
    def standing(self) -> Standing:
        """Its id, and whether a practitioner has confirmed it."""
        ...

    @property
    def clock(self) -> str:
        """The clock that begins with the report; empty where none does."""
        ...

    @property
    def met_by(self) -> Sequence[Any]:
        """The kinds of service to which a leg ends that clock."""
        ...


class AreaRules(Protocol):
    """The area's partners, agreements and clocks as they are now."""

    def choose(
        self, service: int, purpose: str, area: str, excluding: Collection[str], now: datetime
    ) -> Partner | None:
        """The partner that gives the service in the area, whose agreement is in force for the purpose."""
        ...

    def lead(self, area: str) -> Partner | None:
        """The area's lead agency."""
        ...

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """What the partner's agreement gives it of this concern."""
        ...

    def agreement(self, partner_id: str) -> tuple[str, str | None]:
        """The agreement's name with its version, and the clock for the partner's answers where it has its own."""
        ...

    def until(self, clock: str, start: datetime, council: str) -> Deadline:
        """When the named clock runs out, by the calendar of a council."""
        ...

    def from_raising(self, clock: str) -> bool:
        """True where the named clock runs from the referral, however late the step that it is for."""
        ...

    def victim_by(self, raised: Raised, role: int) -> Standing | None:
        """Why somebody of this role counts among victims, where the role itself does not say so."""
        ...

    def rights(self, role: int, happened: Collection[int]) -> Sequence[Right]:
        """The rights that apply to a victim or a business, once this has happened in their case."""
        ...

    def enhanced(self, raised: Raised, role: int) -> Sequence[Standing]:
        """The groups that give a victim enhanced rights."""
        ...

    def telling(self, event: int, *, enhanced: bool) -> tuple[int, str]:
        """The number of the right under which a victim is told of an event, and its clock."""
        ...

    def procedure_clocks(self, stage: int) -> tuple[Sequence[str], Sequence[str]]:
        """The clocks that begin with a stage of a procedure, and those that end with it."""
        ...

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """When the named clock, which stood still since `paused`, runs out."""
        ...


def offers(state: State, rules: AreaRules, now: datetime) -> list[RoutingFact]:
    """Offer every leg that triage asked for and nobody was offered yet; where there is nobody, it comes back.

    What triage knew when it asked may still be on its way: a partner is never offered less than that.
    """
    if state.known.raised is None or state.asked.hidden or state.known.sequence < state.asked.intake_sequence:
        return []
    facts = []
    leads = any(leg.offered.lead for leg in state.current)
    for request in state.asked.legs:
        if request.leg_id not in state.legs and request.leg_id not in state.came_back:
            fact = _offer(state, request, rules, now, lead=not leads)
            leads = leads or fact.WhichOneof("fact") == "offered"
            facts.append(fact)
    return facts


def rerouted(state: State, ended: Leg, rules: AreaRules, now: datetime, *, to_lead: bool) -> list[RoutingFact]:
    """Offer the request of a leg that nobody took up to another: the lead agency where `to_lead`, else the next
    partner of its kind, else the lead agency. Where all were asked it comes back to the desk, and also where the
    silence was the lead agency's own."""
    request_id = state.request_of(ended)
    request = state.request(ended)
    tried = state.partners_of(request_id)
    raised = state.known.raised
    area = raised.area if raised else ""
    lead = rules.lead(area)
    if lead is not None and lead.id == ended.partner_id and to_lead:
        return [came_back(ended.id, request, CAME_BACK_REASON_LEAD_SILENT)]
    if lead is not None and lead.id in tried:
        lead = None
    following = rules.choose(request.service, request.purpose, area, tried, now)
    partner = (lead or following) if to_lead else (following or lead)
    if stopped(state.known, request):
        return [came_back(ended.id, request, CAME_BACK_REASON_CONSENT_ENDED)]
    if partner is None:
        return [came_back(ended.id, request, CAME_BACK_REASON_NOBODY_LEFT)]
    leg_id = str(uuid.uuid5(LEGS, f"{ended.id}/{partner.id}"))
    return [
        _offered(
            state, request, partner, rules, now, leg_id=leg_id, replaces=ended, escalated=partner is lead, lead=False
        )
    ]


def answers(state: State, rules: AreaRules, now: datetime) -> list[RoutingFact]:
    """Pass the raiser's answer to each partner that asked, as far as its agreement allows now."""
    facts = []
    for leg in state.answered:
        disclosed = disclosed_to(state, leg.partner_id, state.request(leg), rules, now)
        given = {(group, number): rule for group, number, rule in disclosed.given}
        withheld = {(group, number): rule for group, number, rule in disclosed.withheld}
        what = FieldGroup.FIELD_GROUP_NARRATIVE, 0
        rule = given.get(what) or withheld.get(what, "default")
        passed = InformationPassed(leg_id=leg.id, given=what in given, rule=rule)
        facts.append(RoutingFact(information_passed=passed))
    return facts


def came_back(leg_id: str, request: RequestedLeg, reason: CameBackReason.ValueType) -> RoutingFact:
    """Nobody takes it up: the desk decides again."""
    return RoutingFact(came_back=CameBack(leg_id=leg_id, service=request.service, reason=reason))


def _offer(state: State, request: RequestedLeg, rules: AreaRules, now: datetime, *, lead: bool) -> RoutingFact:
    if stopped(state.known, request):
        return came_back(request.leg_id, request, CAME_BACK_REASON_CONSENT_ENDED)
    area = state.known.raised.area if state.known.raised else ""
    partner = rules.choose(request.service, request.purpose, area, (), now)
    escalated = partner is None
    partner = partner or rules.lead(area)
    if partner is None:
        return came_back(request.leg_id, request, CAME_BACK_REASON_NOBODY_LEFT)
    return _offered(
        state, request, partner, rules, now, leg_id=request.leg_id, replaces=None, escalated=escalated, lead=lead
    )


def _offered(
    state: State,
    request: RequestedLeg,
    partner: Partner,
    rules: AreaRules,
    now: datetime,
    *,
    leg_id: str,
    replaces: Leg | None,
    escalated: bool,
    lead: bool,
) -> RoutingFact:
    disclosed = disclosed_to(state, partner.id, request, rules, now)
    agreement, own_clock = rules.agreement(partner.id)
    clock = own_clock or request.respond_clock
    offered = Offered(
        leg_id=leg_id,
        partner_id=partner.id,
        service=request.service,
        purpose=request.purpose,
        basis=request.basis,
        necessity=request.necessity,
        end_report=request.end_report,
        needs=request.needs,
        rules=request.rules,
        agreement=agreement,
        given=[Given(group=g, subject=s, rule=r) for g, s, r in disclosed.given if present(state.known, g, s)],
        withheld=[Withheld(group=g, subject=s, rule=r) for g, s, r in disclosed.withheld if present(state.known, g, s)],
        respond_by=rules.until(clock, now, partner.council or state.known.council),
        replaces_leg_id=replaces.id if replaces else "",
        escalated=escalated,
        lead=lead or (replaces is not None and replaces.offered.lead),
    )
    why = ground(state.known, request)
    if why is not None:
        offered.without_consent.CopyFrom(why)
    return RoutingFact(offered=offered)


@dataclass(frozen=True, slots=True)
class Told:
    """What a partner is given and what is withheld, once shields were held against its agreement."""

    given: Sequence[tuple[Any, int, str]]
    withheld: Sequence[tuple[Any, int, str]]


def disclosed_to(state: State, partner_id: str, request: RequestedLeg, rules: AreaRules, now: datetime) -> Told:
    """What the agreement gives, without what is shielded from the partner."""
    decided = rules.disclose(partner_id, request, state.known, now)
    shields = state.shields
    hidden = {(group, number) for group, number, _ in decided.given if hides(shields, partner_id, group, number)}
    return Told(
        [each for each in decided.given if each[:2] not in hidden],
        [*decided.withheld, *((group, number, SHIELDED) for group, number in sorted(hidden))],
    )


def present(known: Known, group: int, number: int) -> bool:
    """True where the concern has something in the group."""
    if number:
        return number in known.subjects and any(part.group == group for part in known.subjects[number].parts)
    if group == FieldGroup.FIELD_GROUP_ASSESSMENT:
        return True
    if group == FieldGroup.FIELD_GROUP_SIGNS:
        return known.raised is not None and known.raised.HasField("signs")
    return known.latest(group) is not None


def given_groups(offered: Offered, shields: Collection[Shield] = ()) -> Mapping[int, frozenset[int]]:
    """The groups that were given and are not shielded since, by subject number (0: of no subject)."""
    found: dict[int, set[int]] = {}
    for given in offered.given:
        if not hides(shields, offered.partner_id, given.group, given.subject):
            found.setdefault(given.subject, set()).add(given.group)
    return {number: frozenset(groups) for number, groups in found.items()}


def open_legs(state: State) -> Iterable[Leg]:
    """The legs from which something is still to come."""
    return (leg for leg in state.legs.values() if leg.is_open)
