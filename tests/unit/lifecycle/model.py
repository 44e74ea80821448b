"""The life-cycle once more, as simply as it can be said: what the three deciders together are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

CHAIN = {"children": ["council-a", "council-b"], "housing": ["homes"]}
LEAD = "lead"
UNANSWERED = {"offered", "received"}
OPEN = UNANSWERED | {"accepted", "in_progress", "on_hold"}
STEPS = {
    "received": ({"offered"}, "received"),
    "accepted": (UNANSWERED, "accepted"),
    "full": (UNANSWERED, "declined"),
    "unsafe": (UNANSWERED, "declined"),
    "known": (UNANSWERED, "declined"),
    "progress": ({"accepted", "in_progress", "on_hold"}, "in_progress"),
    "hold": ({"accepted", "in_progress"}, "on_hold"),
    "outcome": ({"accepted", "in_progress"}, "completed"),
    "failed": ({"accepted", "in_progress", "on_hold"}, "failed"),
    "ack": ({"recalled"}, "recalled"),
    "ask": (OPEN, None),
    "told": ({"accepted", "in_progress", "on_hold", "completed", "failed"}, None),
}


@dataclass
class Leg:
    """One partner's part."""

    service: str
    partner: str
    tried: list[str]
    lead: bool
    state: str = "offered"
    taken_up: bool = False
    asking: bool = False


@dataclass
class Model:
    """A referral of which no rule routes anything. Legs are kept in the order in which they are offered."""

    legs: list[Leg] = field(default_factory=list)
    first: int = 0
    """The place of the round's first leg."""
    services: set[str] = field(default_factory=set)
    back: int = 0
    """How many legs lie with the desk again."""
    grade: int = 1
    link: str = "suggested"
    question: bool = False
    for_partner: bool = False
    """Whether it was a partner that had the question that is open."""
    brought: bool = False
    """Whether what the raiser told lies with the desk though it had decided."""
    ended: bool = False
    given_up: bool = False
    hidden: bool = False
    tell: bool = False
    told: bool = False
    closed: bool = False

    @property
    def where(self) -> str:
        """Where the referral stands."""
        if self.hidden:
            return "entered_in_error"
        if self.closed:
            return "closed"
        if self.ended:
            return "no_further_action"
        if self.services or self.back:
            return "routed"
        return "info_requested" if self.question else "in_triage"

    @property
    def legal(self) -> set[str]:
        """What a supervisor may do in triage."""
        where = self.where
        if where == "entered_in_error":
            return set()
        links = {"ConfirmLink", "RejectLink", "RecordThrive"}
        if where in ("closed", "no_further_action"):
            return {"EnterInError", "Reopen", *links}
        found = {"EnterInError", "OverrideGrade", "Route", *links}
        if not self.question:
            found.add("RequestInformation")
        if where != "routed" or self.back:
            found.add("TakeNoFurtherAction")
        return found

    @property
    def current(self) -> list[Leg]:
        """The legs of this round."""
        return self.legs[self.first :]

    @property
    def known(self) -> bool:
        """Whether there is an outcome to tell."""
        if self.hidden or self.back or any(leg.state in OPEN for leg in self.current):
            return False
        return self.given_up or any(leg.taken_up for leg in self.current)

    def settle(self) -> None:
        """What follows by itself."""
        if not self.closed and self.known:
            self.tell = True
            self.closed = self.told

    def supply(self) -> list[Leg]:
        """The raiser answers whatever was asked; the legs to which the answer goes. What no partner asked for is the
        desk's to read, wherever the referral stands."""
        at_rest = self.where in ("routed", "no_further_action", "closed")
        self.brought = self.brought or (at_rest and not (self.question and self.for_partner))
        asking = [leg for leg in self.legs if leg.asking and leg.state in OPEN]
        for leg in self.legs:
            leg.asking = False
        self.question = False
        return asking

    def new_round(self) -> None:
        """Everybody is told anew."""
        self.first = len(self.legs)
        self.tell = self.told = self.closed = False

    def route(self, service: str) -> None:
        """The desk asks for a kind of partner."""
        self.services.add(service)
        self.brought = False
        self.back, self.given_up = 0, False
        if self.tell:
            self.new_round()
        partner = CHAIN[service][0]
        self.legs.append(Leg(service, partner, [partner], lead=not any(leg.lead for leg in self.current)))

    def give_up(self) -> None:
        """The desk takes no further action."""
        self.brought = False
        self.back, self.given_up, self.ended = 0, True, not self.services

    def reopen(self) -> None:
        """A supervisor opens it again."""
        self.brought = False
        self.services, self.back, self.given_up, self.ended = set(), 0, False, False
        self.new_round()

    def hide(self) -> None:
        """A supervisor says that it should never have been."""
        self.hidden = True
        for leg in self.legs:
            leg.state = "recalled" if leg.state in OPEN else leg.state

    def may(self, leg: Leg, step: str) -> bool:
        """Whether the partner may take the step."""
        leads = leg.lead and any(leg is each for each in self.current) and not self.told
        return leg.state in STEPS[step][0] and (step != "told" or leads) and not (step == "ask" and leg.asking)

    def take(self, leg: Leg, step: str) -> None:
        """The partner takes a legal step."""
        leg.state = STEPS[step][1] or leg.state
        leg.taken_up = leg.taken_up or step in ("outcome", "failed", "known")
        if step == "ask":
            self.for_partner = self.for_partner if self.question else True
            leg.asking = self.question = True
        elif step == "told":
            self.told = True
        elif step == "unsafe":
            self.come_back(leg)
        elif step == "full":
            self.ask(leg, [*CHAIN[leg.service], LEAD])

    def expire(self, late: list[bool]) -> None:
        """Of the legs, in order, those that are late and have not answered are out of time."""
        pairs = list(zip(self.legs, late, strict=True))
        for leg in [leg for leg, is_late in pairs if is_late and leg.state in UNANSWERED]:
            leg.state = "expired"
            self.ask(leg, [] if leg.partner == LEAD else [LEAD, *CHAIN[leg.service]])

    def recall(self, leg: Leg) -> None:
        """The desk takes a leg back."""
        leg.state = "recalled"
        if not self.back and not any(each.state in OPEN or each.taken_up for each in self.current):
            self.come_back(leg)

    def ask(self, leg: Leg, others: list[str]) -> None:
        """The next who was not asked yet, or the desk."""
        partner = next((other for other in others if other not in leg.tried), None)
        if partner is None:
            self.come_back(leg)
        else:
            leg.tried.append(partner)
            self.legs.append(Leg(leg.service, partner, leg.tried, leg.lead))

    def come_back(self, leg: Leg) -> None:
        """The desk decides again."""
        if not self.hidden:
            self.back, self.ended = self.back + 1, False
            self.services.discard(leg.service)
