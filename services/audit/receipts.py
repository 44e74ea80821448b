"""Who may have the receipt of a fact: whoever may see the fact."""

from __future__ import annotations

from dataclasses import dataclass

from safeguarding.v1.access_control_pb2 import ROLE_AUDITOR, ROLE_PARTNER, ROLE_PROTECTION
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.intake_pb2 import Raised
from services import topics
from services.audit.index import reply_key
from services.audit.views import Views
from services.chassis.deciding import Refused, Why
from services.chassis.identity import Identity

SEE_ALL = frozenset({ROLE_AUDITOR, ROLE_PROTECTION})


@dataclass(frozen=True, slots=True)
class Found:
    """Where the fact lies in the log, and which referral it is about, if any."""

    place: int
    referral_id: str


def find(views: Views, event_id: str, who: Identity) -> Found:
    """The first record of this event that the caller may see. Raises Refused; foreign and absent look the same."""
    keys = [event_id]
    if who.role == ROLE_PARTNER:
        keys.append(reply_key(who.id, event_id))
    for key in keys:
        first = views.first(key)
        if first is not None and may_see(views, first[1], who):
            return Found(first[0], first[1].referral_id)
    raise Refused(
        Why.UNKNOWN,
        "the log holds no such event of yours",
        "give the id of an event that you caused or were sent; a new one is there within seconds",
        field="event_id",
    )


def may_see(views: Views, entry: TimelineEntry, who: Identity) -> bool:
    """Auditors all; a partner what was sent to it and what it did; a raiser what became of their own words.

    A raiser may be a partner, so no raiser learns here who else was told: that lies on other topics than intake's.
    """
    if who.role in SEE_ALL or _is(entry, who):
        return True
    if who.role == ROLE_PARTNER and entry.partner_id == who.id:
        return True
    return entry.topic == topics.INTAKE.name and _raised(views, entry.referral_id, who)


def _raised(views: Views, referral_id: str, who: Identity) -> bool:
    raised = (
        entry
        for entry in views.timeline(referral_id)
        if entry.topic == topics.INTAKE.name and entry.type == Raised.DESCRIPTOR.full_name
    )
    return any(_is(entry, who) for entry in raised)


def _is(entry: TimelineEntry, who: Identity) -> bool:
    return (entry.actor.role, entry.actor.id) == (who.role, who.id)
