"""Each victim from first contact to finalised: who is there for them, what they need, what they were told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1 import routing_pb2
from safeguarding.v1.common_pb2 import SUBJECT_ROLE_BUSINESS, SUBJECT_ROLE_VICTIM, Deadline
from services.frozen import replace
from services.known import Known
from services.marks import Running

UPDATE_CLOCK, ENHANCED_CLOCK = "victim_update", "victim_update_enhanced"


@dataclass(frozen=True, slots=True)
class Victim:
    """What was done for one victim or business."""

    number: int
    contact_id: str = ""
    preference: int = 0
    assessed: bool = False
    enhanced: bool = False
    needs: tuple[int, ...] = ()
    rights: frozenset[int] = frozenset()
    update_by: Deadline | None = None
    """Until when they must be told of what happened; None where nothing waits."""
    update_from: datetime | None = None
    update_reached: int = 0
    updates: int = 0
    updated_at: datetime | None = None
    asked: bool = False
    satisfaction: int = 0

    def to_do(self, *, ended: bool) -> list[str]:
        """What is still to do, as codes."""
        open_ = {
            "name_contact": not self.contact_id,
            "ask_preference": not self.preference,
            "assess_needs": not self.assessed,
            "explain_rights": not self.rights,
            "update": self.update_by is not None,
            "ask_satisfaction": ended and not self.asked,
        }
        return [code for code, is_open in open_.items() if is_open]

    @property
    def clock(self) -> Running | None:
        """The clock that runs until they are told."""
        if self.update_by is None or self.update_from is None:
            return None
        return Running(self.update_by, self.update_from, self.update_reached)


def victims(known: Known) -> list[int]:
    """The numbers of the subjects who are victims, businesses among them."""
    return [
        number
        for number, subject in sorted(known.subjects.items())
        if subject.role in (SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_BUSINESS)
    ]


def with_step(found: Mapping[int, Victim], recorded: routing_pb2.VictimRecorded, at: datetime) -> Mapping[int, Victim]:
    """The victims after one more step."""
    step: Any = recorded.step
    victim = found.get(step.subject, Victim(step.subject))
    match step.WhichOneof("step"):
        case "contact_named":
            victim = replace(victim, contact_id=step.contact_named.contact_id)
        case "preference_stated":
            victim = replace(victim, preference=step.preference_stated.preference)
        case "needs_assessed":
            needs = tuple(step.needs_assessed.needs)
            victim = replace(victim, assessed=True, enhanced=step.needs_assessed.enhanced, needs=needs)
        case "rights_explained":
            victim = replace(victim, rights=victim.rights.union(step.rights_explained.rights))
        case "event_happened":
            victim = _awaiting(victim, recorded.update_by, at)
        case "updated":
            victim = replace(victim, update_by=None, updates=victim.updates + 1, updated_at=at)
        case "satisfaction_asked":
            victim = replace(victim, asked=True, satisfaction=step.satisfaction_asked.score)
    return {**found, step.subject: victim}


def _awaiting(victim: Victim, update_by: Deadline, at: datetime) -> Victim:
    """Told of all that happened by the earliest of the deadlines: a later event gives no more time for an earlier."""
    if victim.update_by is not None and victim.update_by.at.ToDatetime(UTC) <= update_by.at.ToDatetime(UTC):
        return victim
    return replace(victim, update_by=update_by, update_from=at, update_reached=0)


def update_clock(victim: Victim) -> str:
    """The clock for telling them of an event."""
    return ENHANCED_CLOCK if victim.enhanced else UPDATE_CLOCK
