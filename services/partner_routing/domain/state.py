"""Where a referral stands: what the facts of intake, triage and routing say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from safeguarding.v1.access_control_pb2 import ROLE_PARTNER, ROLE_SERVICE
from safeguarding.v1.common_pb2 import (
    GRADE_UNSPECIFIED,
    SUBJECT_ROLE_BUSINESS,
    SUBJECT_ROLE_VICTIM,
    Actor,
    Deadline,
    Shield,
)
from safeguarding.v1.intake_pb2 import ReferralState
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER, AUDIENCE_VICTIM
from safeguarding.v1.routing_pb2 import Shielded
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.frozen import replace
from services.known import NOTHING, Known
from services.lifecycle import STATE_OF_FACT
from services.marks import Running
from services.moments import moment
from services.partner_routing.domain.asked import NOTHING_ASKED, Asked
from services.partner_routing.domain.leg import Leg, moved, taken_up
from services.partner_routing.domain.procedures import FACTS, NONE, Procedures, closed, followed, opened_again
from services.partner_routing.domain.victims import Victim, with_rights, with_step
from services.shields import same

STAFF = ""
"""Under which State.spoken counts what people of the desk do, whoever it is; no partner's id is empty."""


@dataclass(frozen=True)
class State:
    """Everything that routing decides by."""

    known: Known = NOTHING
    asked: Asked = NOTHING_ASKED
    legs: Mapping[str, Leg] = field(default_factory=dict)
    """By id, in the order they were offered."""
    told: frozenset[int] = frozenset()
    """Audiences that were told, or for which a reason is recorded why not."""
    not_told: Mapping[int, int] = field(default_factory=dict)
    """By audience why it was not told, as NotToldReason; 0 where it was."""
    overdue: frozenset[int] = frozenset()
    """Audiences of whom it was recorded that nobody told them in time."""
    tell_by: Deadline | None = None
    tell_from: datetime | None = None
    tell_reached: int = 0
    closed: bool = False
    round: int = 0
    """How often everybody is told anew."""
    before: frozenset[str] = frozenset()
    """The legs, and the requests that came back, of earlier rounds."""
    came_back: Mapping[str, int] = field(default_factory=dict)
    """Why, as CameBackReason, by leg; or by request where nobody could be offered it."""
    victims: Mapping[int, Victim] = field(default_factory=dict)
    """What was done for each victim, by the subject's number."""
    shielded: tuple[Shielded, ...] = ()
    """What the desk hid or showed again, in order."""
    procedures: Procedures = NONE
    spoken: Mapping[str, int] = field(default_factory=dict)
    """By partner how many facts are of its own doing; under STAFF of everybody else's but rules'."""
    sequence: int = 0

    @property
    def shields(self) -> list[Shield]:
        """What is hidden now: what the raiser and the desk hid, without what was taken away since."""
        found = list(self.known.raised.shields) if self.known.raised is not None else []
        for each in self.shielded:
            found = [shield for shield in found if not same(shield, each.shield)]
            found += [] if each.lifted else [each.shield]
        return found

    @property
    def outcome_known(self) -> bool:
        """True once there is something to tell: no further action, or all legs ended and one was taken up.

        What came back and still lies with the desk keeps it open.
        """
        legs = self.current
        if self.asked.hidden or any(leg.is_open for leg in legs) or self.with_desk:
            return False
        if self.asked.no_further_action:
            return True
        placed = {self.request_of(leg) for leg in legs} | set(self.came_back)
        return placed >= {request.leg_id for request in self.requests} and any(map(taken_up, legs))

    @property
    def clocks(self) -> list[Running]:
        """The clocks that run."""
        running = [clock for leg in self.legs.values() for clock in leg.clocks]
        if not self.asked.hidden:
            running += self.victims_clocks
            running += self.procedures.running
        untold = not (self.closed or self.asked.hidden or self.audiences <= self.told | self.overdue)
        if untold and self.tell_by is not None and self.tell_from is not None:
            running.append(Running(self.tell_by, self.tell_from, self.tell_reached))
        return running

    @property
    def asked_of(self) -> frozenset[int]:
        """The kinds of service to which legs were offered."""
        return frozenset(leg.offered.service for leg in self.legs.values())

    def refer_clock(self, victim: Victim) -> Running | None:
        """The clock that runs from the report until a victim is referred to a service for victims.

        When it was reported is intake's to say, whose facts may be folded before or after those that suggest rights.
        """
        right, raised_at = victim.waits_for_referral(self.asked_of), self.known.raised_at
        if right is None or raised_at is None:
            return None
        return Running(right.until, moment(raised_at), victim.refer_reached)

    @property
    def victims_clocks(self) -> list[Running]:
        """Until victims are told of what happened, and until they are referred to a service for them; what ends for
        several at one time is one clock, told once."""
        found: dict[tuple[str, int], Running] = {}
        for victim in self.victims.values():
            for clock in (victim.update_clock, self.refer_clock(victim)):
                if clock is not None:
                    found.setdefault((clock.deadline.clock, clock.deadline.at.ToNanoseconds()), clock)
        return list(found.values())

    @property
    def current(self) -> list[Leg]:
        """The legs of this round."""
        return [leg for leg in self.legs.values() if leg.id not in self.before]

    @property
    def requests(self) -> list[RequestedLeg]:
        """What triage asked for in this round."""
        return [request for request in self.asked.legs if request.leg_id not in self.before]

    @property
    def with_desk(self) -> frozenset[str]:
        """What came back in this round and about which the desk has not decided."""
        return frozenset(self.came_back) - self.before - self.asked.decided

    @property
    def audiences(self) -> frozenset[int]:
        """Who must be told: whoever raised it, and the victim where there is one."""
        roles = {subject.role for subject in self.known.subjects.values()}
        victim = {AUDIENCE_VICTIM} if roles & {SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_BUSINESS} else set()
        return frozenset({AUDIENCE_RAISER, *victim})

    @property
    def where(self) -> int:
        """Where the referral stands, as ReferralState."""
        if self.asked.hidden:
            return ReferralState.REFERRAL_STATE_ENTERED_IN_ERROR
        if self.closed:
            return ReferralState.REFERRAL_STATE_CLOSED
        if self.asked.no_further_action and not self.with_desk and not any(leg.is_open for leg in self.current):
            return ReferralState.REFERRAL_STATE_NO_FURTHER_ACTION
        if self.current or self.requests:
            return ReferralState.REFERRAL_STATE_ROUTED
        if self.asked.grade != GRADE_UNSPECIFIED:
            return ReferralState.REFERRAL_STATE_IN_TRIAGE
        return ReferralState.REFERRAL_STATE_RAISED

    @property
    def wanted(self) -> list[Leg]:
        """The legs whose partner has something to do: the work, or to stop it, or to delete what it held, or what
        follows from a stage or a conference."""
        bound = {clock.leg_id for clock in self.procedures.running} if not self.asked.hidden else set()
        return [
            leg for leg in self.legs.values() if leg.is_open or leg.recall_unheard or leg.to_delete or leg.id in bound
        ]

    @property
    def answered(self) -> list[Leg]:
        """The open legs whose partner waits for an answer that the raiser has given."""
        return [
            leg
            for leg in self.legs.values()
            if leg.is_open
            and leg.answered < leg.asked == len(before := self.asked.questions.get(leg.id, ()))
            and self.known.supplied > before[-1]
        ]

    def request_of(self, leg: Leg) -> str:
        """The leg id that triage asked for, through the legs that this one takes the place of."""
        while leg.offered.replaces_leg_id:
            leg = self.legs[leg.offered.replaces_leg_id]
        return leg.id

    def request(self, leg: Leg) -> RequestedLeg:
        """What triage asked for, of which the leg came."""
        return next(request for request in self.asked.legs if request.leg_id == self.request_of(leg))

    def partners_of(self, request_id: str) -> frozenset[str]:
        """The partners that were offered this request already."""
        return frozenset(leg.partner_id for leg in self.legs.values() if self.request_of(leg) == request_id)


def speaker(actor: Actor) -> str | None:
    """Under whom what an actor does is counted; None for our own services."""
    if actor.role == ROLE_PARTNER:
        return actor.id
    return None if actor.role == ROLE_SERVICE else STAFF


def with_routing(state: State, fact: Any) -> State:
    """The state after one more of routing's own facts."""
    who, spoken = speaker(fact.header.actor), state.spoken
    if who is not None:
        spoken = {**spoken, who: spoken.get(who, 0) + 1}
    state = replace(state, sequence=fact.header.sequence, spoken=spoken)
    kind = fact.WhichOneof("fact")
    body = getattr(fact, kind)
    at = moment(fact.header.occurred_at)
    match kind:
        case _ if kind in FACTS or (kind == "clock_reached" and state.procedures.knows(body)):
            return replace(state, procedures=followed(state.procedures, kind, body))
        case "offered":
            leg = Leg(body, at)
            return replace(state, legs={**state.legs, leg.id: leg})
        case "outcome_told":
            not_told = {**state.not_told, body.audience: body.not_told}
            return replace(state, told=state.told | {body.audience}, not_told=not_told)
        case "victim_recorded":
            return replace(state, victims=with_step(state.victims, body, at))
        case "shielded":
            return replace(state, shielded=(*state.shielded, body))
        case "telling_overdue":
            return replace(state, overdue=state.overdue | {body.audience})
        case "outcome_known":
            return replace(state, tell_by=body.tell_by, tell_from=at)
        case "rights_suggested":
            return replace(state, victims=with_rights(state.victims, body))
        case "clock_reached" if any(clock.deadline == body.deadline for clock in state.victims_clocks):
            reached = {number: victim.with_reached(body) for number, victim in state.victims.items()}
            return replace(state, victims=reached)
        case "clock_reached" if body.leg_id:
            return _with_leg(state, state.legs[body.leg_id].with_reached(body))
        case "clock_reached":
            return replace(state, tell_reached=body.percent)
        case "closed":
            return replace(state, closed=True, procedures=closed(state.procedures, body.started, at))
        case "came_back":
            return replace(state, came_back={**state.came_back, body.leg_id: body.reason})
        case "round_began":
            return replace(
                state,
                round=body.round,
                before=state.before.union(state.legs, state.came_back),
                told=frozenset(),
                overdue=frozenset(),
                tell_by=None,
                tell_reached=0,
                closed=False,
                procedures=opened_again(state.procedures),
            )
        case "information_asked":
            leg = state.legs[body.leg_id]
            return _with_leg(state, replace(leg, asked=leg.asked + 1))
        case "information_passed":
            leg = state.legs[body.leg_id]
            return _with_leg(state, replace(leg, answered=leg.asked, told_account=leg.told_account or body.given))
        case "erasure_told":
            leg = state.legs[body.leg_id]
            return _with_leg(state, replace(leg, to_delete=leg.to_delete | {body.subject}))
        case "erasure_confirmed":
            leg = state.legs[body.leg_id]
            return _with_leg(state, replace(leg, to_delete=leg.to_delete.difference(body.subjects or leg.to_delete)))
        case "recall_acknowledged":
            return _with_leg(state, replace(state.legs[body.leg_id], recall_acknowledged=True))
        case _ if kind in STATE_OF_FACT:
            return _with_leg(state, moved(state.legs[body.leg_id], kind, body, at))
        case _:
            return state


def _with_leg(state: State, leg: Leg) -> State:
    return replace(state, legs={**state.legs, leg.id: leg})
