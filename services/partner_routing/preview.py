"""What a partner would be told of a referral, and why not the rest; decided as for an offer, and sent to nobody."""

from __future__ import annotations

from datetime import datetime

from safeguarding.v1 import routing_pb2
from safeguarding.v1.common_pb2 import LAWFUL_BASIS_CONSENT, Shield
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.chassis.calendars import LONDON
from services.chassis.deciding import Refused, Why
from services.partner_routing.agreements import EXPIRED, NO_CONSENT, PURPOSE, Agreement
from services.partner_routing.area import Snapshot
from services.partner_routing.directory import takes_on
from services.partner_routing.domain import State
from services.partner_routing.domain.offers import disclosed_to, present
from services.shields import hides


def previewed(
    area: Snapshot, state: State, request: routing_pb2.PreviewDisclosureRequest, now: datetime
) -> routing_pb2.PreviewDisclosureResponse:
    """Every group of every subject with the rule that gives or withholds it. Raises Refused for a partner that has
    no agreement."""
    agreement = area.agreements.get(request.partner_id)
    if agreement is None:
        known = ", ".join(sorted(area.agreements)) or "nobody"
        raise Refused(Why.UNKNOWN, "no agreement with such a partner", f"one of {known}", field="partner_id")
    asked = RequestedLeg(purpose=request.purpose, basis=request.basis)
    told = disclosed_to(state, request.partner_id, asked, area, now)
    response = routing_pb2.PreviewDisclosureResponse(
        agreement=agreement.name, source=agreement.source, not_asked=_not_asked(area, agreement, state, request, now)
    )
    if not state.known.consents:
        response.without_consent.extend(area.grounds.of(request.basis))
    decided = [(each, True) for each in told.given] + [(each, False) for each in told.withheld]
    for (group, subject, rule), given in sorted(decided, key=lambda one: (one[0][1], one[0][0])):
        response.groups.add(
            group=group,
            subject=subject,
            given=given,
            rule=rule,
            words=agreement.words(rule),
            present=present(state.known, group, subject),
        )
    return response


def have_it(state: State, shield: Shield) -> list[str]:
    """The legs whose partner was given something that the shield hides, before it did."""
    return [
        leg.id
        for leg in state.legs.values()
        if any(hides([shield], leg.partner_id, given.group, given.subject) for given in leg.offered.given)
    ]


def _not_asked(
    area: Snapshot, agreement: Agreement, state: State, request: routing_pb2.PreviewDisclosureRequest, now: datetime
) -> str:
    """Why routing would not ask this partner now; empty where it may."""
    partner, on = area.partner(request.partner_id), now.astimezone(LONDON).date()
    if partner is None:
        return "removed"
    if not takes_on(partner, on):
        return "full" if partner.capacity == "full" else "paused"
    if not agreement.signed_on <= on <= agreement.expires_on:
        return EXPIRED
    if request.purpose not in agreement.purposes:
        return PURPOSE
    return NO_CONSENT if request.basis == LAWFUL_BASIS_CONSENT and not state.known.consents else ""
