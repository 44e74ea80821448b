"""The life-cycle of a referral and of its legs: one table, from which deciders, diagram and tests follow. Pure.

Each row is a move: who makes it, from where to where, the fact that records it, and what it does to clocks.
Escalation, a warned or breached clock and a leg that came back to the desk are no states: they lie over one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_PARTNER, ROLE_SUPERVISOR, ROLE_TRIAGE
from safeguarding.v1.routing_pb2 import LegState
from services.chassis.deciding import Refused, Why


class Referral(StrEnum):
    """Where a referral stands."""

    RAISED = "raised"
    IN_TRIAGE = "in_triage"
    INFO_REQUESTED = "info_requested"
    NO_FURTHER_ACTION = "no_further_action"
    ROUTED = "routed"
    CLOSED = "closed"
    ENTERED_IN_ERROR = "entered_in_error"


class Leg(StrEnum):
    """Where a leg stands."""

    OFFERED = "offered"
    RECEIVED = "received"
    ACCEPTED = "accepted"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    FAILED = "failed"
    DECLINED = "declined"
    EXPIRED = "expired"
    RECALLED = "recalled"


class By(StrEnum):
    """Who makes a move."""

    RAISER = "whoever raised it"
    DESK = "the desk"
    SUPERVISOR = "a supervisor"
    PARTNER = "the partner"
    OPERATOR = "an operator"
    RULE = "a rule"
    CLOCK = "a clock"


class Clock(StrEnum):
    """Which deadline runs; each stands for the clocks of clocks.toml that are used for it."""

    DECIDE = "decide"
    ANSWER = "answer"
    RESPOND = "respond"
    TELL = "tell"
    REVIEW = "review"
    WORK = "work"
    RECALL = "recall"


State = Referral | Leg


@dataclass(frozen=True, slots=True)
class Move:
    """One row. `target` is None where the move leaves the state as it is; `sources` empty where it begins a life."""

    name: str
    """The command, the partner's step, or what happens by itself."""
    by: tuple[By, ...]
    sources: tuple[State, ...]
    target: State | None
    fact: str
    starts: tuple[Clock, ...] = ()
    stops: tuple[Clock, ...] = ()
    pauses: tuple[Clock, ...] = ()
    resumes: tuple[Clock, ...] = ()
    only: str = ""
    """What else must be so, in words; the decider holds it."""


_DESK_WORKS = (Referral.IN_TRIAGE, Referral.INFO_REQUESTED)
_UNDER_WAY = (*_DESK_WORKS, Referral.ROUTED)
_ENDED = (Referral.NO_FURTHER_ACTION, Referral.CLOSED)

REFERRAL_MOVES: tuple[Move, ...] = (
    Move("RaiseConcern", (By.RAISER,), (), Referral.RAISED, "raised"),
    Move("grade", (By.RULE,), (Referral.RAISED,), Referral.IN_TRIAGE, "graded", starts=(Clock.DECIDE,)),
    Move(
        "grade", (By.RULE,), (*_UNDER_WAY, *_ENDED), None, "graded",
        starts=(Clock.DECIDE,), only="what was learned is graver",
    ),
    Move(
        "OverrideGrade", (By.DESK,), _UNDER_WAY, None, "graded",
        starts=(Clock.DECIDE,), only="lower only with a reason, from RED only by a supervisor, never below a floor",
    ),
    Move(
        "RequestInformation", (By.DESK,), (Referral.IN_TRIAGE,), Referral.INFO_REQUESTED, "information_requested",
        starts=(Clock.ANSWER,), pauses=(Clock.DECIDE,),
    ),
    Move(
        "RequestInformation", (By.DESK,), (Referral.ROUTED,), None, "information_requested",
        starts=(Clock.ANSWER,), only="no question is open",
    ),
    Move(
        "partner asks", (By.RULE,), (Referral.IN_TRIAGE,), Referral.INFO_REQUESTED, "information_requested",
        starts=(Clock.ANSWER,), only="a leg of before it was reopened is open; the desk's clock runs on",
    ),
    Move(
        "partner asks", (By.RULE,), (Referral.INFO_REQUESTED, Referral.ROUTED, *_ENDED), None, "information_requested",
        starts=(Clock.ANSWER,), only="its leg is open",
    ),
    Move(
        "SupplyInformation", (By.RAISER,), (Referral.INFO_REQUESTED,), Referral.IN_TRIAGE, "information_supplied",
        stops=(Clock.ANSWER,), resumes=(Clock.DECIDE,),
    ),
    Move(
        "answer is late", (By.CLOCK,), (Referral.INFO_REQUESTED,), None, "clock_resumed",
        stops=(Clock.ANSWER,), resumes=(Clock.DECIDE,), only="the time for the answer is over; it may still come",
    ),
    Move(
        "link", (By.RULE,), (Referral.RAISED, *_UNDER_WAY, Referral.CLOSED), None, "linked",
        only="another referral seems to be about the same people, household or place",
    ),
    Move("ConfirmLink", (By.DESK,), (*_UNDER_WAY, *_ENDED), None, "link_confirmed", only="a link that was suggested"),
    Move("RejectLink", (By.DESK,), (*_UNDER_WAY, *_ENDED), None, "link_rejected", only="a link that was suggested"),
    Move(
        "RecordThrive", (By.DESK,), (*_UNDER_WAY, *_ENDED), None, "thrive_recorded",
        only="it informs: no rule reads it, and nothing scores it",
    ),
    Move("route", (By.RULE,), _DESK_WORKS, Referral.ROUTED, "routed", stops=(Clock.DECIDE,)),
    Move(
        "route", (By.RULE,), (Referral.ROUTED, Referral.CLOSED), Referral.ROUTED, "routed",
        only="what was learned asks for a kind of partner that was not asked yet",
    ),
    Move("Route", (By.DESK,), _DESK_WORKS, Referral.ROUTED, "routed", stops=(Clock.DECIDE,)),
    Move(
        "Route", (By.DESK,), (Referral.ROUTED,), None, "routed",
        stops=(Clock.DECIDE,), only="a kind of partner that was not asked yet, or that came back",
    ),
    Move(
        "TakeNoFurtherAction", (By.DESK,), _DESK_WORKS, Referral.NO_FURTHER_ACTION, "no_further_action",
        stops=(Clock.DECIDE, Clock.ANSWER), only="a reason; a RED referral by a supervisor",
    ),
    Move(
        "TakeNoFurtherAction", (By.DESK,), (Referral.ROUTED,), Referral.NO_FURTHER_ACTION, "no_further_action",
        stops=(Clock.DECIDE,), only="every leg came back",
    ),
    Move(
        "TakeNoFurtherAction", (By.DESK,), (Referral.ROUTED,), None, "no_further_action",
        stops=(Clock.DECIDE,), only="a leg came back and is given up; the other legs go on",
    ),
    Move(
        "take back", (By.RULE,), (*_UNDER_WAY, Referral.NO_FURTHER_ACTION), Referral.ROUTED, "taken_back",
        starts=(Clock.DECIDE,), only="nobody takes a leg up",
    ),
    Move(
        "take back", (By.RULE,), (Referral.CLOSED,), None, "taken_back",
        starts=(Clock.DECIDE,), only="nobody takes up a leg of before it was reopened; a supervisor opens it again",
    ),
    Move(
        "bring to desk", (By.RULE,), (Referral.ROUTED, *_ENDED), None, "brought_to_desk",
        starts=(Clock.DECIDE,),
        only="the raiser told more than a partner had asked for, or took it back, and no rule asks a further partner; "
        "or a clock came far that is the desk's to mind",
    ),
    Move(
        "outcome", (By.RULE,), (Referral.ROUTED, Referral.NO_FURTHER_ACTION), None, "outcome_known",
        starts=(Clock.TELL,), only="every leg has ended, or no further action was taken",
    ),
    Move(
        "ReadOutcome", (By.RAISER,), (Referral.ROUTED, Referral.NO_FURTHER_ACTION), None, "outcome_told",
        only="the outcome is known",
    ),
    Move(
        "RecordTold", (By.DESK,), (Referral.ROUTED, Referral.NO_FURTHER_ACTION), None, "outcome_told",
        only="the outcome is known, and there is somebody who was not told",
    ),
    Move(
        "close", (By.RULE,), (Referral.ROUTED, Referral.NO_FURTHER_ACTION), Referral.CLOSED, "closed",
        stops=(Clock.TELL,), only="every leg has ended and everybody was told, or a reason is recorded why not",
    ),
    Move("Reopen", (By.SUPERVISOR,), _ENDED, Referral.IN_TRIAGE, "reopened", starts=(Clock.DECIDE,), only="a note"),
    Move(
        "EnterInError", (By.SUPERVISOR,), (*_UNDER_WAY, *_ENDED), Referral.ENTERED_IN_ERROR, "entered_in_error",
        stops=(Clock.DECIDE, Clock.ANSWER, Clock.TELL), only="a note; open legs are recalled",
    ),
)  # fmt: skip
"""The moves of a referral."""

_ASKED = (Leg.OFFERED, Leg.RECEIVED)
_WORKING = (Leg.ACCEPTED, Leg.IN_PROGRESS)
_OPEN = (*_ASKED, *_WORKING, Leg.ON_HOLD)

LEG_MOVES: tuple[Move, ...] = (
    Move("offer", (By.RULE,), (), Leg.OFFERED, "offered", starts=(Clock.RESPOND,)),
    Move("received", (By.PARTNER,), (Leg.OFFERED,), Leg.RECEIVED, "received"),
    Move(
        "accepted", (By.PARTNER,), _ASKED, Leg.ACCEPTED, "accepted", stops=(Clock.RESPOND,),
        starts=(Clock.REVIEW, Clock.WORK), only="the clock of the work runs where one is set for it, and never rests",
    ),
    Move("declined", (By.PARTNER,), _ASKED, Leg.DECLINED, "declined", stops=(Clock.RESPOND,), only="a reason"),
    Move("expire", (By.CLOCK,), _ASKED, Leg.EXPIRED, "expired", stops=(Clock.RESPOND,)),
    Move(
        "ReleasePartner", (By.OPERATOR,), _OPEN, Leg.EXPIRED, "expired",
        stops=(Clock.RESPOND, Clock.REVIEW, Clock.WORK),
    ),
    Move("progress", (By.PARTNER,), _WORKING, Leg.IN_PROGRESS, "in_progress", starts=(Clock.REVIEW,)),
    Move("progress", (By.PARTNER,), (Leg.ON_HOLD,), Leg.IN_PROGRESS, "in_progress", resumes=(Clock.REVIEW,)),
    Move("hold", (By.PARTNER,), _WORKING, Leg.ON_HOLD, "on_hold", pauses=(Clock.REVIEW,)),
    Move(
        "outcome", (By.PARTNER,), _WORKING, Leg.COMPLETED, "completed",
        stops=(Clock.REVIEW, Clock.WORK), only="how it ended",
    ),
    Move(
        "failed", (By.PARTNER,), (*_WORKING, Leg.ON_HOLD), Leg.FAILED, "failed",
        stops=(Clock.REVIEW, Clock.WORK), only="a reason",
    ),
    Move(
        "Recall", (By.DESK,), _OPEN, Leg.RECALLED, "recalled",
        stops=(Clock.RESPOND, Clock.REVIEW, Clock.WORK), starts=(Clock.RECALL,), only="a reason",
    ),
    Move(
        "asked", (By.PARTNER,), _OPEN, None, "information_asked", only="its words, and no question of its own is open",
    ),
    Move(
        "answer", (By.RULE,), _OPEN, None, "information_passed",
        only="the raiser answered; it is given as far as the agreement allows",
    ),
    Move(
        "recall", (By.RULE,), _OPEN, Leg.RECALLED, "recalled",
        stops=(Clock.RESPOND, Clock.REVIEW, Clock.WORK), starts=(Clock.RECALL,),
        only="the referral was entered in error, or the leg rests on consent and the person took it back",
    ),
    Move(
        "recall_acknowledged", (By.PARTNER,), (Leg.RECALLED,), None, "recall_acknowledged", stops=(Clock.RECALL,),
    ),
    Move(
        "told", (By.PARTNER,), (*_WORKING, Leg.ON_HOLD, Leg.COMPLETED, Leg.FAILED), None, "outcome_told",
        only="the partner leads on telling, and there is somebody who was not told",
    ),
)  # fmt: skip
"""The moves of a leg."""

LEG_STATE: Mapping[Leg, int] = {state: LegState.Value(f"LEG_STATE_{state.name}") for state in Leg}
LEG_OF: Mapping[int, Leg] = {number: state for state, number in LEG_STATE.items()}
STATE_OF_FACT: Mapping[str, int] = {
    move.fact: LEG_STATE[move.target] for move in LEG_MOVES if isinstance(move.target, Leg) and move.sources
}
"""The state that each fact brings its leg to, as LegState."""


def sources(moves: Iterable[Move], name: str) -> frozenset[State]:
    """The states from which a move is legal."""
    return frozenset(source for move in moves if move.name == name for source in move.sources)


OPEN = frozenset(LEG_STATE[state] for state in sources(LEG_MOVES, "Recall") if isinstance(state, Leg))
"""The states of a leg from which something is still to come, as LegState."""
UNANSWERED = frozenset(LEG_STATE[state] for state in sources(LEG_MOVES, "expire") if isinstance(state, Leg))
"""The states in which the partner has not yet said whether it takes the leg on, as LegState."""

_WHO: Mapping[int, frozenset[By]] = {
    ROLE_TRIAGE: frozenset({By.DESK}),
    ROLE_SUPERVISOR: frozenset({By.DESK, By.SUPERVISOR}),
    ROLE_PARTNER: frozenset({By.PARTNER}),
    ROLE_OPERATOR: frozenset({By.OPERATOR}),
}


def legal(moves: Iterable[Move], state: State, role: int, but: Collection[str] = ()) -> list[str]:
    """The names of the moves that the role may make from the state, without those in `but`."""
    who = _WHO.get(role, frozenset())
    return sorted({move.name for move in moves if state in move.sources and who.intersection(move.by)} - set(but))


def require(
    moves: Iterable[Move], name: str, state: State, role: int, *, but: Mapping[str, tuple[str, str]] | None = None
) -> None:
    """Let a legal move pass; raise Refused, naming those that are legal now, for any other.

    `but` are moves that a condition beyond the table bars now, each with what is wrong and what would be right.
    """
    barred = but or {}
    now = legal(moves, state, role, barred)
    if name not in now:
        noun = "leg" if isinstance(state, Leg) else "referral"
        usual = f"{name} is no move of a {noun} that is {state}", "make a legal move"
        known = any(move.name == name and state in move.sources for move in moves)
        wrong, right = barred.get(name, usual) if known else usual
        raise Refused(Why.ILLEGAL, wrong, right, legal=now)
