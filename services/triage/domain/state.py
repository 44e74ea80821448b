"""Where a referral stands in triage, and what its decisions need of the area's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import GRADE_UNSPECIFIED, Actor, Deadline, Grade, Standing
from services.chassis.deciding import Context
from services.known import NOTHING, Known
from services.lifecycle import Referral
from services.links import AtPlace, Links, at_place, by_several, with_counts
from services.marks import Running

GRADE_WORDS: Mapping[int, str] = {number: name.removeprefix("GRADE_").lower() for name, number in Grade.items()}


class AskedLeg(Protocol):
    """A leg that rules ask for."""

    service: Any
    purpose: str
    basis: Any
    necessity: str
    rule_ids: Sequence[str]
    respond_clock: str
    work_clock: str
    end_report: bool
    needs: Sequence[Any]
    rules: Sequence[Standing]
    without_consent: Standing | None


class Assessed(Protocol):
    """What the rules say of a referral."""

    grade: Any
    legs: Sequence[AskedLeg]
    floor: Any
    """The lowest grade that a person may set; unspecified where any may be."""

    def as_fired(self) -> Sequence[triage_pb2.FiredRule]:
        """The rules that fired, as a fact keeps them."""
        ...

    def regraded(self, grade: Any) -> Assessed:
        """The same under a grade that a person set."""
        ...


class AreaRules(Protocol):
    """The area's rules and clocks, as a decision needs them."""

    def assess(
        self, raised: intake_pb2.Raised, raiser: Actor, at_place: tuple[AtPlace, ...] = (), by_several: int = 0
    ) -> Assessed:
        """The grade, the rules that fired, and the legs that they ask for; `at_place`: what else happened there,
        `by_several`: how many complaints several people made about the same."""
        ...

    def grounds(self, basis: int) -> Sequence[Standing]:
        """The reasons for which a leg on this basis may go ahead although the person has not agreed."""
        ...

    def until(self, clock: str, start: datetime, council: str) -> Deadline:
        """When the named clock runs out, by the calendar of a council."""
        ...

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """When the named clock, which stood still since `paused`, runs out."""
        ...


@dataclass(frozen=True)
class State:
    """A referral as triage sees it: what it knows, and what it decided."""

    known: Known = NOTHING
    grade: int = GRADE_UNSPECIFIED
    fired: tuple[triage_pb2.FiredRule, ...] = ()
    decide_by: Deadline | None = None
    decide_from: datetime | None = None
    """When that clock began; later by as long as it stood still."""
    paused: datetime | None = None
    """Since when it stands still."""
    decide_reached: int = 0
    """How far it came, in percent, as was told."""
    answer_by: Deadline | None = None
    answer_from: datetime | None = None
    answer_reached: int = 0
    answered_after: int | None = None
    """How often the raiser had supplied information when the last question was asked; None where there was none."""
    services: frozenset[int] = frozenset()
    """The kinds of partner that were asked for since it was last opened, without those that came back."""
    ever: frozenset[int] = frozenset()
    """The kinds of partner that were asked for at any time; rules ask none twice."""
    came_back: Mapping[str, triage_pb2.TakenBack] = field(default_factory=dict)
    """The legs about which the desk decides again, by id."""
    look_again: int = 0
    """Why the desk has to look though partners were asked or it had ended, as LookAgainReason; 0 where it has not."""
    late: triage_pb2.BroughtToDesk | None = None
    """The clock of routing's for which it was brought to the desk."""
    done: int = 0
    """How many of the tasks that such clocks are for routing saw done."""
    asked_for_partner: bool = False
    """True where it was a partner that had the last question."""
    ended: bool = False
    """True after no further action, until reopened."""
    hidden: bool = False
    """True once entered in error."""
    closings: int = 0
    """How often routing closed it."""
    running: bool = True
    """False while routing's last word is that it is closed."""
    reopened_after: int = 0
    """How often routing had closed it when it was last reopened."""
    links: Links = field(default_factory=dict)
    """Other referrals that seem to be about the same."""
    thrive: tuple[triage_pb2.TriageFact, ...] = ()
    """The records of THRIVE, oldest first."""
    said: int = 0
    """Facts of people's doing, not of rules'."""
    sequence: int = 0

    @property
    def concern(self) -> intake_pb2.Raised | None:
        """What was raised, as rules are to see it: with what linked referrals add to its counts."""
        raised = self.known.raised
        return with_counts(raised, self.known.raised_at, self.links) if raised is not None else None

    @property
    def at_place(self) -> tuple[AtPlace, ...]:
        """The other concerns at the same place, as linked referrals tell."""
        return at_place(self.known.raised_at, self.links)

    @property
    def by_several(self) -> int:
        """How many complaints several people made about the same, this one among them."""
        raised = self.known.raised
        return by_several(raised, self.known.raised_at, self.links) if raised is not None and self.links else 0

    @property
    def unconfirmed_rules(self) -> list[str]:
        """The rules that fired and that no practitioner has confirmed, by id."""
        return [rule.rule_id for rule in self.fired if not rule.confirmed]

    @property
    def awaiting_information(self) -> bool:
        """True while the raiser's answer is awaited."""
        return self.answered_after is not None and self.known.supplied <= self.answered_after

    @property
    def closed(self) -> bool:
        """True while it is closed and was not opened again."""
        return not self.running and self.closings > self.reopened_after

    @property
    def where(self) -> Referral:
        """Where the referral stands."""
        if self.hidden:
            return Referral.ENTERED_IN_ERROR
        if self.closed:
            return Referral.CLOSED
        if self.ended:
            return Referral.NO_FURTHER_ACTION
        if self.services or self.came_back:
            return Referral.ROUTED
        if self.awaiting_information:
            return Referral.INFO_REQUESTED
        return Referral.IN_TRIAGE if self.grade != GRADE_UNSPECIFIED else Referral.RAISED

    @property
    def clocks(self) -> list[Running]:
        """The clocks that run."""
        running = []
        if self.waits_for_desk and self.paused is None and self.decide_by is not None and self.decide_from is not None:
            running.append(Running(self.decide_by, self.decide_from, self.decide_reached))
        over = self.hidden or self.closed or self.ended
        if self.awaiting_information and self.answer_by and self.answer_from and not over:
            running.append(Running(self.answer_by, self.answer_from, self.answer_reached))
        return running

    @property
    def waits_for_desk(self) -> bool:
        """True where the rules did not decide and the desk has not, where a leg came back, or more was learned."""
        if self.grade == GRADE_UNSPECIFIED or self.hidden:
            return False
        if self.looks_again_for or self.came_back:
            return True
        return not (self.services or self.closed or self.ended)

    @property
    def looks_again_for(self) -> int:
        """Why the desk has to look again, as LookAgainReason; a clock is no reason once what it is for was done."""
        over = self.late is not None and self.done > self.late.done_before
        return 0 if over and self.look_again == triage_pb2.LOOK_AGAIN_REASON_CLOCK else self.look_again

    @property
    def answers_partner(self) -> bool:
        """True where what the raiser supplied last is the answer to a partner's question."""
        return (
            self.asked_for_partner
            and self.answered_after is not None
            and self.known.supplied == self.answered_after + 1
        )

    @property
    def at_rest(self) -> bool:
        """True where nobody at the desk would see what the raiser tells."""
        return self.where in (Referral.ROUTED, Referral.NO_FURTHER_ACTION, Referral.CLOSED)


def to_decide(grade: int, known: Known, context: Context) -> Deadline:
    """Until when the desk decides on a referral of this grade that comes before it now."""
    until: Deadline = context.rules.until(f"decide_{GRADE_WORDS[grade]}", context.now, known.council)
    return until
