"""Each victim from first contact to finalised: who is there for them, what they need, what they were told. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1 import routing_pb2
from safeguarding.v1.common_pb2 import SUBJECT_ROLE_BUSINESS, SUBJECT_ROLE_VICTIM, ClockReached, Deadline, Standing
from services.frozen import replace
from services.known import Known
from services.marks import Running

ENHANCED = 0
"""The number by which a person adds or strikes the enhanced rights as a whole."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A person's word on a right."""

    added: bool
    """False where it was struck."""
    reason: str


@dataclass(frozen=True)
class Victim:
    """What is known of one victim or business, and what was done for them."""

    number: int
    contact_id: str = ""
    preference: int = 0
    assessed: bool = False
    assessed_enhanced: bool = False
    """What the assessment of their needs says."""
    needs: tuple[int, ...] = ()
    suggested: Mapping[int, routing_pb2.AppliedRight] = field(default_factory=dict)
    """The rights that follow from what is known, by number."""
    victim_by: Standing | None = None
    """Why they count among victims, where their role does not say so."""
    enhanced_by: tuple[Standing, ...] = ()
    """The groups that give them enhanced rights, as far as that follows from what is known."""
    judged: Mapping[int, Judged] = field(default_factory=dict)
    """What a person added or struck, by the right's number; the last word counts."""
    happened: frozenset[int] = frozenset()
    """What happened in their case, as CaseEvent."""
    rights: frozenset[int] = frozenset()
    """The rights that were explained."""
    referred: bool = False
    refer: routing_pb2.AppliedRight | None = None
    """The right to be referred to a service for victims, with until when and what meets it."""
    refer_reached: int = 0
    update_by: Deadline | None = None
    """Until when they must be told of what happened; None where nothing waits."""
    update_from: datetime | None = None
    update_reached: int = 0
    update_right: int = 0
    """The right under which they must be told of it."""
    updates: int = 0
    updated_at: datetime | None = None
    asked: bool = False
    satisfaction: int = 0

    @property
    def enhanced(self) -> bool:
        """True where they have enhanced rights: a person's word goes before what follows from what is known."""
        judged = self.judged.get(ENHANCED)
        return judged.added if judged is not None else self.assessed_enhanced or bool(self.enhanced_by)

    @property
    def applies(self) -> frozenset[int]:
        """The rights that apply, by number."""
        added = {number for number, judged in self.judged.items() if judged.added and number != ENHANCED}
        return frozenset(number for number in {*self.suggested, *added} if not self.struck(number))

    def struck(self, number: int) -> bool:
        """True where a person said that the right does not apply."""
        return number in self.judged and not self.judged[number].added

    def to_do(self, *, ended: bool, asked_of: Collection[int]) -> list[str]:
        """What is still to do, as codes; `asked_of` are the kinds of service to which legs were offered."""
        referral = self.waits_for_referral(asked_of)
        open_ = {
            "name_contact": not self.contact_id,
            "ask_preference": not self.preference,
            "assess_needs": not self.assessed,
            "refer": referral is not None,
            "explain_rights": not self.rights or not self.applies <= self.rights,
            "update": self.update_by is not None,
            "ask_satisfaction": ended and not self.asked,
        }
        return [code for code, is_open in open_.items() if is_open]

    @property
    def update_clock(self) -> Running | None:
        """The clock that runs until they are told."""
        if self.update_by is None or self.update_from is None:
            return None
        return Running(self.update_by, self.update_from, self.update_reached)

    def waits_for_referral(self, asked_of: Collection[int]) -> routing_pb2.AppliedRight | None:
        """The right to be referred, until they were: by a leg to one of the services that meet it, or otherwise."""
        right = self.refer
        if right is None or self.referred or right.number not in self.applies:
            return None
        return right if set(right.met_by).isdisjoint(asked_of) else None

    def with_reached(self, reached: ClockReached) -> Victim:
        """The same once it was told how far one of their clocks came."""
        if reached.deadline == self.update_by:
            return replace(self, update_reached=reached.percent)
        if self.refer is not None and reached.deadline == self.refer.until:
            return replace(self, refer_reached=reached.percent)
        return self


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
            victim = replace(victim, assessed=True, assessed_enhanced=step.needs_assessed.enhanced, needs=needs)
        case "rights_explained":
            victim = replace(victim, rights=victim.rights.union(step.rights_explained.rights))
        case "event_happened":
            victim = replace(victim, happened=victim.happened | {step.event_happened.event})
            victim = _awaiting(victim, recorded, at) if recorded.HasField("update_by") else victim
        case "right_added" | "right_struck" as kind:
            victim = _judged(victim, getattr(step, kind), added=kind == "right_added")
        case "referred":
            victim = replace(victim, referred=True)
        case "updated":
            victim = replace(victim, update_by=None, updates=victim.updates + 1, updated_at=at)
        case "satisfaction_asked":
            victim = replace(victim, asked=True, satisfaction=step.satisfaction_asked.score)
    return {**found, step.subject: victim}


def _awaiting(victim: Victim, recorded: routing_pb2.VictimRecorded, at: datetime) -> Victim:
    """Told of all that happened by the earliest of the deadlines: a later event gives no more time for an earlier."""
    until = recorded.update_by
    if victim.update_by is not None and victim.update_by.at.ToDatetime(UTC) <= until.at.ToDatetime(UTC):
        return victim
    return replace(victim, update_by=until, update_from=at, update_reached=0, update_right=recorded.update_right)


def _judged(victim: Victim, step: Any, *, added: bool) -> Victim:
    """A right that does not apply has no clock: what waited under it waits no more."""
    victim = replace(victim, judged={**victim.judged, step.right: Judged(added, step.reason)})
    if not added and step.right != ENHANCED and step.right == victim.update_right:
        return replace(victim, update_by=None, update_right=0)
    return victim


def with_rights(found: Mapping[int, Victim], suggested: routing_pb2.RightsSuggested) -> Mapping[int, Victim]:
    """The victims once more rights are known to apply to one of them."""
    victim = found.get(suggested.subject, Victim(suggested.subject))
    rights = {**victim.suggested, **{right.number: right for right in suggested.rights}}
    victim = replace(victim, suggested=rights, enhanced_by=(*victim.enhanced_by, *suggested.enhanced_by))
    if suggested.HasField("victim_by"):
        victim = replace(victim, victim_by=suggested.victim_by)
    for right in suggested.rights:
        if right.HasField("until"):
            victim = replace(victim, refer=right)
    return {**found, suggested.subject: victim}
