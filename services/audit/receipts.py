"""Who may have the receipt of a record: whoever may see it."""

from __future__ import annotations

from dataclasses import dataclass

from safeguarding.v1.access_control_pb2 import (
    ROLE_AUDITOR,
    ROLE_PARTNER,
    ROLE_PROTECTION,
    ROLE_SUPERVISOR,
    ROLE_TRIAGE,
)
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.intake_pb2 import Raised
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER
from safeguarding.v1.routing_pb2 import Offered, OutcomeTold
from services import topics
from services.audit.index import partners_key
from services.audit.views import Views
from services.chassis.deciding import Refused, Why
from services.chassis.identity import Identity

SEE_ALL = frozenset({ROLE_AUDITOR, ROLE_PROTECTION})
"""They may ask for the timeline of any referral."""
DESK = frozenset({ROLE_TRIAGE, ROLE_SUPERVISOR})
FACTS = frozenset({topics.INTAKE.name, topics.TRIAGE.name, topics.ROUTING.name})
"""What a journey shows, which the desk may read of any referral."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the record lies in the log, and which referral it is about, if any."""

    place: int
    referral_id: str


def find(views: Views, event_id: str, who: Identity) -> Found:
    """The first record of this event that the caller may see. Raises Refused; foreign and absent look the same."""
    keys = [event_id]
    if who.role == ROLE_PARTNER:
        keys.append(partners_key(who.id, event_id))
    for key in keys:
        first = views.first(key)
        if first is not None and may_see(views, first, who):
            return Found(first.place, first.referral_id)
    raise Refused(
        Why.UNKNOWN,
        "the log holds no such event of yours",
        "give the id of an event that you caused or were sent; a new one is there within seconds",
        field="event_id",
    )


def may_see(views: Views, entry: TimelineEntry, who: Identity) -> bool:
    """Auditors all records; the desk all facts; everyone what they did; partners what is of their own legs; raisers
    what became of their own words, and that they were told."""
    if who.role in SEE_ALL or _is(entry, who):
        return True
    if who.role in DESK:
        return entry.topic in FACTS
    if who.role == ROLE_PARTNER and (entry.partner_id == who.id or _of_own_leg(views, entry, who)):
        return True
    return (entry.topic == topics.INTAKE.name or _tells_the_raiser(entry)) and _raised(views, entry.referral_id, who)


def _of_own_leg(views: Views, entry: TimelineEntry, who: Identity) -> bool:
    """Not all facts of a leg name its partner; the offer that opened it does."""
    if not entry.leg_id or entry.topic != topics.ROUTING.name or entry.partner_id:
        return False
    return any(
        offer.type == Offered.DESCRIPTOR.full_name and (offer.leg_id, offer.partner_id) == (entry.leg_id, who.id)
        for offer in views.timeline(entry.referral_id)
    )


def _tells_the_raiser(entry: TimelineEntry) -> bool:
    """A raiser may be a partner, so a leaf that names the partner who told them goes to nobody who raised it: no
    raiser learns here who else was asked."""
    told = entry.type == OutcomeTold.DESCRIPTOR.full_name and entry.audience == AUDIENCE_RAISER
    return told and entry.topic == topics.ROUTING.name and entry.actor.role != ROLE_PARTNER


def _raised(views: Views, referral_id: str, who: Identity) -> bool:
    raised = (
        entry
        for entry in views.timeline(referral_id)
        if entry.topic == topics.INTAKE.name and entry.type == Raised.DESCRIPTOR.full_name
    )
    return any(_is(entry, who) for entry in raised)


def _is(entry: TimelineEntry, who: Identity) -> bool:
    return (entry.actor.role, entry.actor.id) == (who.role, who.id)
