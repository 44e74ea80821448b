"""Which looks are flagged: those that a person took at a record which they have no task to read. Pure.

A task is linked where the looker wrote a fact on the referral (they raised it, or decided on it), holds a leg of it,
or is of the desk on whose worklist it lies. The worklist is everybody's: for one's own record it is no task.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from google.protobuf.message import Message

from safeguarding.v1.access_control_pb2 import (
    ROLE_AUDITOR,
    ROLE_PARTNER,
    ROLE_PROTECTION,
    ROLE_SERVICE,
    ROLE_SUPERVISOR,
    ROLE_SYSTEM,
    ROLE_TRIAGE,
)
from safeguarding.v1.access_pb2 import (
    ACCESS_KIND_DISCLOSED,
    ACCESS_KIND_EXPORTED,
    ACCESS_KIND_VIEWED,
    ANOMALY_COLLEAGUES_RECORD,
    ANOMALY_OWN_RECORD,
    ANOMALY_WELL_KNOWN,
    AccessFact,
    Anomaly,
)
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.intake_pb2 import Raised, WatchedReferral
from safeguarding.v1.routing_pb2 import Closed, Offered
from safeguarding.v1.triage_pb2 import BroughtToDesk, EnteredInError, NoFurtherActionTaken, Reopened, Routed, TakenBack
from services import topics

LOOKS = (ACCESS_KIND_VIEWED, ACCESS_KIND_EXPORTED, ACCESS_KIND_DISCLOSED)
"""Kinds of look at one record; a worklist or a search shows nobody's."""
NO_PERSONS = frozenset({ROLE_SERVICE, ROLE_SYSTEM, ROLE_PARTNER})
"""Programs and organisations: nobody's colleagues."""
DESK = frozenset({ROLE_TRIAGE, ROLE_SUPERVISOR})
REVIEWERS = frozenset({ROLE_AUDITOR, ROLE_PROTECTION})
OWN_ALONE = frozenset({"Intake/GetReferral", "Routing/ReadOutcome"})
"""They answer nobody but whoever raised the concern, whose task it is."""
NO_RECORD = frozenset({"Audit/GetReceipt"})
"""What it shows is a hash and its proof."""
FACTS = frozenset({topics.INTAKE.name, topics.TRIAGE.name, topics.ROUTING.name})


def _types(*kinds: type[Message]) -> frozenset[str]:
    return frozenset(kind.DESCRIPTOR.full_name for kind in kinds)


_LOOK, _OFFERED = AccessFact.DESCRIPTOR.full_name, Offered.DESCRIPTOR.full_name
_TO_THE_DESK = _types(Raised, TakenBack, BroughtToDesk, Reopened)
_FROM_THE_DESK = _types(Routed, NoFurtherActionTaken, EnteredInError, Closed)


def may_be_flagged(look: TimelineEntry) -> bool:
    """Whether a record tells of a person's look at one referral, of which nobody else's word says that it is theirs."""
    return (
        look.type == _LOOK
        and look.look in LOOKS
        and bool(look.referral_id)
        and look.actor.role not in NO_PERSONS
        and look.method not in OWN_ALONE | NO_RECORD
    )


def anomalies(
    look: TimelineEntry, watched: WatchedReferral, timeline: Sequence[TimelineEntry]
) -> list[Anomaly.ValueType]:
    """For what the look is flagged; `timeline` is what audit has of the referral, oldest first."""
    before = [entry for entry in timeline if _at(entry) <= _at(look)]
    found = [anomaly for anomaly in _whose(look, watched) if not _has_task(look, anomaly, before)]
    return found


def _whose(look: TimelineEntry, watched: WatchedReferral) -> Iterable[Anomaly.ValueType]:
    own = any((name.role, name.id) == (look.actor.role, look.actor.id) for name in watched.staff)
    if own:
        yield ANOMALY_OWN_RECORD
    elif watched.staff:
        yield ANOMALY_COLLEAGUES_RECORD
    if watched.well_known:
        yield ANOMALY_WELL_KNOWN


def _has_task(look: TimelineEntry, anomaly: int, before: Collection[TimelineEntry]) -> bool:
    if any(_is_theirs(look, entry) for entry in before):
        return True
    if anomaly == ANOMALY_OWN_RECORD:
        return False
    if look.actor.role in REVIEWERS and look.method.startswith("Audit/"):
        return True  # to review who looked is what they are for
    return look.actor.role in DESK and _on_the_worklist(before)


def _is_theirs(look: TimelineEntry, entry: TimelineEntry) -> bool:
    """Whether a record is a fact that the looker wrote, or offers them a leg."""
    if entry.topic not in FACTS:
        return False
    who = (look.actor.role, look.actor.id)
    return who in (
        (entry.actor.role, entry.actor.id),
        (ROLE_PARTNER, entry.partner_id if entry.type == _OFFERED else ""),
    )


def _on_the_worklist(before: Iterable[TimelineEntry]) -> bool:
    waits = True  # a referral of which nothing else is known yet was just raised
    for entry in before:
        if entry.topic in FACTS and entry.type in _TO_THE_DESK | _FROM_THE_DESK:
            waits = entry.type in _TO_THE_DESK
    return waits


def _at(entry: TimelineEntry) -> int:
    when = entry.occurred_at if entry.HasField("occurred_at") else entry.record_time
    return when.ToMicroseconds()
