"""Procedures of several partners about one referral: which stages were reached, and its case conferences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from safeguarding.v1 import procedure_pb2
from safeguarding.v1.common_pb2 import ClockReached, Deadline
from services.frozen import replace
from services.marks import Running

ACTION_CLOCK = "conference_action"
"""Its time is what the conference set; no file states it."""
FACTS = frozenset(
    {
        "stage_reached",
        "conference_called",
        "conference_invited",
        "conference_held",
        "minutes_passed",
        "decision_done",
    }
)
"""The facts that this folds, beside how far its clocks came."""


@dataclass(frozen=True)
class Conference:
    """A case conference as it stands."""

    called: procedure_pb2.ConferenceCalled
    invited: tuple[str, ...] = ()
    """Legs, in the order of the invitations."""
    held: procedure_pb2.ConferenceHeld | None = None
    passed: Mapping[str, procedure_pb2.MinutesPassed] = field(default_factory=dict)
    """By leg."""
    done: frozenset[int] = frozenset()
    reached: Mapping[int, int] = field(default_factory=dict)
    """By decision how far its clock came, in percent, as was told."""

    @property
    def id(self) -> str:
        """Its id."""
        return self.called.conference_id

    @property
    def decisions(self) -> dict[int, procedure_pb2.ConferenceDecision]:
        """What it decided, by number."""
        return dict(enumerate(self.held.decisions, start=1)) if self.held is not None else {}

    @property
    def clocks(self) -> list[Running]:
        """What is decided and not done runs out; what one owner does by one time has one clock."""
        if self.held is None:
            return []
        started = self.held.held_at.ToDatetime(UTC)
        running: dict[tuple[str, int], Running] = {}
        for number, decision in self.decisions.items():
            if number not in self.done:
                key = decision.owner_leg_id, decision.by.ToNanoseconds()
                until = Deadline(clock=ACTION_CLOCK, at=decision.by)
                running.setdefault(key, Running(until, started, self.reached.get(number, 0), decision.owner_leg_id))
        return list(running.values())

    def with_reached(self, told: ClockReached) -> Conference:
        """The conference once it was told how far the clock of some decisions came."""
        reached = {
            number: told.percent
            for number, decision in self.decisions.items()
            if number not in self.done and decision.owner_leg_id == told.leg_id and decision.by == told.deadline.at
        }
        return replace(self, reached={**self.reached, **reached}) if reached else self


@dataclass(frozen=True)
class Procedures:
    """What was reached, what must follow, and what was conferred about."""

    stages: tuple[procedure_pb2.StageReached, ...] = ()
    clocks: Mapping[str, Running] = field(default_factory=dict)
    """What must follow, by the clock's name."""
    conferences: Mapping[str, Conference] = field(default_factory=dict)
    """By id, in the order they were called."""
    keeping: frozenset[str] = frozenset()
    """The names of the clocks that run because the referral is closed: until its record is looked at again."""

    @property
    def running(self) -> list[Running]:
        """The clocks that run. They outlive the referral's closing: a child protection plan does."""
        return [*self.clocks.values(), *(clock for each in self.conferences.values() for clock in each.clocks)]

    def knows(self, reached: ClockReached) -> bool:
        """True where the clock is one of these."""
        return any(clock.deadline == reached.deadline and clock.leg_id == reached.leg_id for clock in self.running)


NONE = Procedures()


def followed(known: Procedures, kind: str, body: Any) -> Procedures:
    """The procedures after one of FACTS, or after a clock of theirs came far."""
    match kind:
        case "stage_reached":
            return _reached(known, body)
        case "conference_called":
            return _with(known, Conference(body))
        case "clock_reached" if body.deadline.clock == ACTION_CLOCK:
            conferences = {id: each.with_reached(body) for id, each in known.conferences.items()}
            return replace(known, conferences=conferences)
        case "clock_reached":
            name = body.deadline.clock
            told = replace(known.clocks[name], reached=body.percent)
            return replace(known, clocks={**known.clocks, name: told})
    conference = known.conferences[body.conference_id]
    match kind:
        case "conference_invited":
            return _with(known, replace(conference, invited=(*conference.invited, body.leg_id)))
        case "conference_held":
            return _with(known, replace(conference, held=body))
        case "minutes_passed":
            return _with(known, replace(conference, passed={**conference.passed, body.leg_id: body}))
        case "decision_done":
            return _with(known, replace(conference, done=conference.done | {body.number}))
        case _:
            raise ValueError(f"no fact of procedures: {kind}")


def closed(known: Procedures, started: Iterable[Deadline], at: datetime) -> Procedures:
    """The procedures once the referral was closed: its record is to be looked at again."""
    clocks = {until.clock: Running(until, at) for until in started}
    return replace(known, clocks={**known.clocks, **clocks}, keeping=known.keeping.union(clocks))


def opened_again(known: Procedures) -> Procedures:
    """The procedures once it goes on: what is worked on is kept without a question."""
    clocks = {name: clock for name, clock in known.clocks.items() if name not in known.keeping}
    return replace(known, clocks=clocks, keeping=frozenset())


def _reached(known: Procedures, body: procedure_pb2.StageReached) -> Procedures:
    clocks = {name: clock for name, clock in known.clocks.items() if name not in body.stopped_clocks}
    for until in body.started:
        clocks[until.clock] = Running(until, body.happened_at.ToDatetime(UTC), leg_id=body.leg_id)
    keeps = body.stage == procedure_pb2.STAGE_RETENTION_REVIEWED
    keeping = known.keeping.union(until.clock for until in body.started) if keeps else known.keeping
    return replace(known, stages=(*known.stages, body), clocks=clocks, keeping=keeping)


def _with(known: Procedures, conference: Conference) -> Procedures:
    return replace(known, conferences={**known.conferences, conference.id: conference})
