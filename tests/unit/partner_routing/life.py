"""What tests of routing's decider share: an area of four partners, a referral that was routed, and partners' steps."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from safeguarding.v1 import partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    LAWFUL_BASIS_SAFEGUARDING,
    SERVICE_KIND_CHILDRENS_SOCIAL_CARE,
    SERVICE_KIND_HOUSING,
    SUBJECT_ROLE_CHILD,
    Actor,
    Deadline,
    Standing,
)
from safeguarding.v1.partner_pb2 import (
    DECLINE_REASON_ALREADY_KNOWN,
    DECLINE_REASON_NO_CAPACITY,
    OUTCOME_SUPPORTED,
)
from safeguarding.v1.triage_pb2 import RequestedLeg, TriageFact
from services.chassis.deciding import PartnerReply
from services.known import Known
from services.partner_routing.domain import RoutingDecider
from tests.unit.domains import DESK, OFFICER, REFERRAL, Life, raised

LEG = "11111111-1111-4111-8111-111111111111"
OTHER_LEG = "22222222-2222-4222-8222-222222222222"
HOUR = timedelta(hours=1)
GROUND = Standing(id="would_prejudice_protection", confirmed=True)


@dataclass(frozen=True)
class Partner:
    """A partner, as a decision sees it."""

    id: str
    serves: int
    lead: bool = False
    council: str = ""


@dataclass(frozen=True)
class Disclosed:
    """What an agreement gives."""

    given: tuple[tuple[Any, int, str], ...]
    withheld: tuple[tuple[Any, int, str], ...]


@dataclass
class Area:
    """Two councils, one housing association, and the lead agency."""

    partners: list[Partner] = field(
        default_factory=lambda: [
            Partner("council-a", SERVICE_KIND_CHILDRENS_SOCIAL_CARE),
            Partner("council-b", SERVICE_KIND_CHILDRENS_SOCIAL_CARE),
            Partner("homes", SERVICE_KIND_HOUSING),
            Partner("lead", 0, lead=True),
        ]
    )

    def choose(self, service: int, purpose: str, area: str, excluding: Collection[str], now: datetime) -> Any:
        """The first that serves."""
        return next((p for p in self.partners if p.serves == service and p.id not in excluding), None)

    def lead(self, area: str) -> Any:
        """The lead agency."""
        return next((p for p in self.partners if p.lead), None)

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """Identity and account; never contact."""
        who = tuple((FIELD_GROUP_IDENTITY, n, "who") for n in known.subjects)
        given = (*who, (FIELD_GROUP_NARRATIVE, 0, "what"))
        return Disclosed(given, tuple((FIELD_GROUP_CONTACT, n, "default") for n in known.subjects))

    def agreement(self, partner_id: str) -> tuple[str, str | None]:
        """Its name."""
        return f"{partner_id}@1", None

    def until(self, clock: str, start: datetime, council: str) -> Deadline:
        """An hour for everything."""
        return _deadline(clock, start + HOUR)

    def from_raising(self, clock: str) -> bool:
        """Only the clock of that name."""
        return clock == "from_raising"

    def victim_by(self, raised: Any, role: int) -> Any:
        """Nobody but those whose role says so."""
        return None

    def rights(self, role: int, happened: Collection[int]) -> Sequence[Any]:
        """Nobody's."""
        return []

    def enhanced(self, raised: Any, role: int) -> Sequence[Any]:
        """Nobody has any."""
        return []

    def telling(self, event: int, *, enhanced: bool) -> tuple[int, str]:
        """All under right 6."""
        return 6, "victim_update_enhanced" if enhanced else "victim_update"

    def procedure_clocks(self, stage: int) -> tuple[Sequence[str], Sequence[str]]:
        """After a strategy discussion (1) comes the conference (2); a plan's end (5) ends what waits."""
        starts = {1: ["conference"], 2: ["core_group", "plan_review"]}
        ends = {2: ["conference"], 3: ["core_group"], 5: ["conference", "core_group", "plan_review"]}
        return starts.get(stage, []), ends.get(stage, [])

    def resumed(self, clock: str, runs_out: datetime, paused: datetime, now: datetime, council: str) -> Deadline:
        """As much later as it stood still."""
        return _deadline(clock, runs_out + (now - paused))


def _deadline(clock: str, at: datetime) -> Deadline:
    found = Deadline(clock=clock)
    found.at.FromDatetime(at)
    return found


def request(leg_id: str = LEG, service: Any = SERVICE_KIND_CHILDRENS_SOCIAL_CARE) -> RequestedLeg:
    """A leg that triage asks for, of people who have not agreed."""
    return RequestedLeg(
        leg_id=leg_id,
        service=service,
        purpose="protect",
        necessity="must act",
        respond_clock="soon",
        basis=LAWFUL_BASIS_SAFEGUARDING,
        without_consent=GROUND,
    )


def routed(*requests: RequestedLeg) -> TriageFact:
    """Triage routed."""
    return TriageFact(routed=triage_pb2.Routed(legs=requests))


def life_of(*requests: RequestedLeg, roles: Any = (SUBJECT_ROLE_CHILD,), anonymous: bool = False) -> Life:
    """A referral that was raised and routed."""
    life = Life(RoutingDecider(), Area())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=roles, anonymous=anonymous))
    life.hear("triage", routed(*requests), DESK)
    return life


def reply(life: Life, step: dict[str, Any], partner: str = "council-a", leg: str = LEG, key: str = "") -> list[Any]:
    """A partner's record on its replies topic."""
    body = partner_pb2.Reply(reply_id=key or str(uuid.uuid4()), referral_id=REFERRAL, leg_id=leg, **step)
    actor = Actor(role=ROLE_PARTNER, id=partner)
    return life.give(PartnerReply(REFERRAL, body.reply_id, actor, partner, body))


ACCEPTED = {"accepted": partner_pb2.AcceptedReply()}
RECEIVED = {"received": partner_pb2.ReceivedReply()}
PROGRESS = {"progress": partner_pb2.ProgressReply()}
ON_HOLD = {"progress": partner_pb2.ProgressReply(on_hold=True)}
SUPPORTED = {"outcome": partner_pb2.OutcomeReply(outcome=OUTCOME_SUPPORTED)}
FULL = {"declined": partner_pb2.DeclinedReply(reason=DECLINE_REASON_NO_CAPACITY)}
KNOWN_ALREADY = {"declined": partner_pb2.DeclinedReply(reason=DECLINE_REASON_ALREADY_KNOWN)}
FAILED = {"failed": partner_pb2.FailedReply(reason=1)}  # type: ignore[arg-type]  # a number of the enum


def told(audience: Any, not_told: Any = 0) -> dict[str, Any]:
    """The partner told someone."""
    return {"told": partner_pb2.ToldReply(audience=audience, not_told=not_told)}


def read_outcome(life: Life, actor: Actor = OFFICER) -> list[Any]:
    """The raiser reads."""
    return life.say(routing_pb2.ReadOutcomeRequest(referral_id=REFERRAL), actor)
