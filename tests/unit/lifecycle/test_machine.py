"""Random lives of one referral through all three deciders, whose facts arrive in any order, never leave the model."""

from __future__ import annotations

import os
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_ADULT_AT_RISK,
    FIELD_GROUP_NARRATIVE,
    GRADE_AMBER,
    GRADE_GREEN,
    LAWFUL_BASIS_PUBLIC_TASK,
    SERVICE_KIND_CHILDRENS_SOCIAL_CARE,
    SERVICE_KIND_HOUSING,
    Actor,
)
from safeguarding.v1.routing_pb2 import RoutingFact
from services.chassis.deciding import PartnerReply, Refused, Why
from services.intake.domain import IntakeDecider
from services.lifecycle import LEG_MOVES, REFERRAL_MOVES
from services.partner_routing.domain import RoutingDecider
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.unit.domains import OFFICER, REFERRAL, SUPERVISOR, Life, raised, sealed
from tests.unit.lifecycle.model import STEPS, Leg, Model
from tests.unit.partner_routing import life as partners

AREA = Area(Path(__file__).parents[3] / "deploy/areas/avon-and-somerset")
STEPS_OF_A_LIFE = 50
LIVES = int(os.environ.get("LIFECYCLE_STEPS", "2000")) // STEPS_OF_A_LIFE
AT_MOST = max(LIVES, 200)
"""Lives after which every kind of fact has been seen."""
NOTE = sealed(FIELD_GROUP_NARRATIVE)
KIND: dict[str, Any] = {"children": SERVICE_KIND_CHILDRENS_SOCIAL_CARE, "housing": SERVICE_KIND_HOUSING}
READERS = {
    "intake": ("triage", "partner-routing"),
    "triage": ("intake", "partner-routing"),
    "partner-routing": ["triage"],
}
REPLIES: dict[str, dict[str, Any]] = {
    "received": partners.RECEIVED,
    "accepted": partners.ACCEPTED,
    "full": partners.FULL,
    "unsafe": {"declined": partner_pb2.DeclinedReply(reason=partner_pb2.DECLINE_REASON_UNSAFE_TO_CONTACT)},
    "known": partners.KNOWN_ALREADY,
    "progress": partners.PROGRESS,
    "hold": partners.ON_HOLD,
    "outcome": partners.SUPPORTED,
    "failed": partners.FAILED,
    "ack": {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()},
    "ask": {"asked": partner_pb2.AskedReply()},
    "told": partners.told(partner_pb2.AUDIENCE_RAISER),
}
assert set(REPLIES) == set(STEPS)


LINK = triage_pb2.Linked(other_referral_id="00000000-0000-4000-8000-000000000001", by="number", score=90)
NOT_HERE: set[str] = set()
"""Facts of the table that no step of these lives leads to."""
told: Counter[str] = Counter()
"""The facts that were delivered, by kind."""


class Lives(RuleBasedStateMachine):
    """One referral; after each step all facts are delivered, each writer's in order, the writers in any."""

    @initialize()
    def begin(self) -> None:
        self.lives: dict[str, Life] = {
            "intake": Life(IntakeDecider()),
            "triage": Life(TriageDecider(), AREA, {"links": {REFERRAL: [LINK]}}),
            "partner-routing": Life(RoutingDecider(), partners.Area()),
        }
        self.seen: dict[tuple[str, str], int] = {}
        self.model = Model()
        self.passed = 0
        """How often an answer went to a partner."""
        concern = raised([CONCERN_KIND_ADULT_AT_RISK]).raised
        self.lives["intake"].say(intake_pb2.RaiseConcernRequest(), OFFICER, concern)
        self.deliver(random.Random(0))

    def decide(self, chance: random.Random) -> None:
        command = chance.choice(["OverrideGrade", "RequestInformation", "TakeNoFurtherAction"])
        other = GRADE_AMBER if self.model.grade == GRADE_GREEN else GRADE_GREEN
        body: Any = {
            "OverrideGrade": triage_pb2.OverrideGradeRequest(grade=other, reason="it changed"),
            "RequestInformation": triage_pb2.RequestInformationRequest(question="where?"),
            "TakeNoFurtherAction": triage_pb2.TakeNoFurtherActionRequest(reason=1),  # type: ignore[arg-type]
        }[command]
        if self.command(command, body):
            self.model.brought = False
            if command == "OverrideGrade":
                self.model.grade = other
            elif command == "RequestInformation":
                self.model.question, self.model.for_partner = True, False
            else:
                self.model.give_up()

    def route(self, chance: random.Random) -> None:
        service = chance.choice(["children", "housing"])
        leg = triage_pb2.DeskLeg(service=KIND[service], purpose="x", basis=LAWFUL_BASIS_PUBLIC_TASK, necessity="x")
        body = triage_pb2.RouteRequest(legs=[leg])
        if self.command("Route", body, barred=service in self.model.services):
            self.model.route(service)

    def judge(self, chance: random.Random) -> None:
        command, said = chance.choice([("ConfirmLink", "confirmed"), ("RejectLink", "rejected")])
        body: Any = getattr(triage_pb2, f"{command}Request")(other_referral_id=LINK.other_referral_id)
        if self.command(command, body, barred=self.model.link == said):
            self.model.link = said

    def think(self, chance: random.Random) -> None:
        if self.command("RecordThrive", triage_pb2.RecordThriveRequest(thrive=triage_pb2.Thrive(harm="x"))):
            self.model.brought = False

    def supervise(self, chance: random.Random) -> None:
        if chance.random() < 0.05:
            if self.command("EnterInError", triage_pb2.EnterInErrorRequest(note="x")):
                self.model.hide()
        elif self.command("Reopen", triage_pb2.ReopenRequest(note="x")):
            self.model.reopen()

    def supply(self, chance: random.Random) -> None:
        group = FIELD_GROUP_NARRATIVE
        information = intake_pb2.InformationSupplied(information=sealed(group, version=2))
        if self.model.hidden:
            assert self.refused("intake", intake_pb2.SupplyInformationRequest(), OFFICER) is Why.UNKNOWN
        elif len(self.lives["intake"].document.event_ids["intake"]) < 200:
            self.lives["intake"].say(intake_pb2.SupplyInformationRequest(), OFFICER, information)
            self.passed += len(self.model.supply())

    def read(self, chance: random.Random) -> None:
        body = routing_pb2.ReadOutcomeRequest(referral_id=REFERRAL)
        if self.model.hidden:
            assert self.refused("partner-routing", body, OFFICER) is Why.UNKNOWN
        else:
            self.lives["partner-routing"].say(body, OFFICER)
            self.model.told = self.model.told or self.model.known

    def answer(self, chance: random.Random) -> None:
        found = self.leg(chance)
        if found is None:
            return
        leg_id, leg = found
        right = [step for step in STEPS if self.model.may(leg, step)]
        step = chance.choice(right if right and chance.random() < 0.8 else sorted(STEPS))
        reply = partner_pb2.Reply(reply_id=str(uuid.uuid4()), referral_id=REFERRAL, leg_id=leg_id, **REPLIES[step])
        actor = Actor(role=ROLE_PARTNER, id=leg.partner)
        life = self.lives["partner-routing"]
        life.gathered = {"notes": {reply.reply_id: NOTE}}
        facts = life.give(PartnerReply(REFERRAL, reply.reply_id, actor, leg.partner, reply))
        legal = self.model.may(leg, step)
        assert (facts[0].WhichOneof("fact") != "reply_refused") == legal, (step, leg)
        if legal:
            self.model.take(leg, step)

    def recall(self, chance: random.Random) -> None:
        found = self.leg(chance)
        if found is None:
            return
        leg_id, leg = found
        body = routing_pb2.RecallRequest(leg_id=leg_id, reason="mistake")
        if leg.state in ("offered", "received", "accepted", "in_progress", "on_hold"):
            self.lives["partner-routing"].say(body, SUPERVISOR)
            self.model.recall(leg)
        else:
            assert self.refused("partner-routing", body, SUPERVISOR) is Why.ILLEGAL

    def wait(self, chance: random.Random) -> None:
        minutes = chance.choice([10, 40, 70, 2000])
        now = self.lives["triage"].now + timedelta(minutes=minutes)
        for life in self.lives.values():
            life.now = now
        late = {leg.id for leg in self.routing_legs() if leg.clock and leg.clock.moment(100) <= now}
        for name in ("triage", "partner-routing"):
            life = self.lives[name]
            while due := [clock for clock in life.decider.view(life.state).get("clocks", ()) if clock["at"] <= now]:
                life.run_out(due[0]["name"], now)
        self.model.expire([leg.id in late for leg in self.routing_legs()[: len(self.model.legs)]])

    @rule(chance=st.randoms(use_true_random=True))
    def live(self, chance: random.Random) -> None:
        acts = [
            self.decide,
            self.route,
            self.judge,
            self.think,
            self.supervise,
            self.supply,
            self.read,
            self.answer,
            self.recall,
        ]
        [act] = chance.choices([*acts, self.wait], weights=[3, 3, 1, 1, 2, 2, 4, 20, 1, 3])
        act(chance)
        self.deliver(chance)

    @invariant()
    def is_as_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        model, triage, routing = self.model, self.lives["triage"].state, self.lives["partner-routing"].state
        assert triage.where == model.where
        assert triage.grade == model.grade
        undecided = model.where in ("in_triage", "info_requested") or model.back > 0
        by_clock = triage.looks_again_for == triage_pb2.LOOK_AGAIN_REASON_CLOCK
        assert (triage.waits_for_desk or by_clock) == (by_clock or (not model.hidden and (undecided or model.brought)))
        assert undecided or not (by_clock and model.brought), "a clock hides nothing that somebody told"
        assert not (by_clock and model.told and not routing.clocks), "what nobody waits for any more is off the list"
        found = sorted((leg.partner_id, str(leg.stands), leg.offered.lead) for leg in routing.legs.values())
        assert found == sorted((leg.partner, leg.state, leg.lead) for leg in model.legs)
        routed = self.lives["partner-routing"].document.facts.get("partner-routing", ())
        passed = [raw for raw in routed if RoutingFact.FromString(raw).HasField("information_passed")]
        assert len(passed) == self.passed
        assert (routing.closed, routing.outcome_known) == (model.closed, model.known)
        assert bool(self.lives["intake"].state.open_questions) == model.question
        assert self.lives["intake"].state.shown_to(OFFICER) != model.hidden
        if model.hidden:
            assert {clock.deadline.clock for clock in routing.clocks} <= {"recall"}
            assert triage.clocks == []

    def command(self, name: str, body: Any, *, barred: bool = False) -> bool:
        """Try a command; it must be taken, or refused with the legal moves, as the model says."""
        legal = self.model.legal
        refused = self.tried("triage", body, SUPERVISOR)
        assert (refused is None) == (name in legal and not barred), (name, self.model.where)
        if refused is not None:
            assert refused.why is Why.ILLEGAL
            assert set(refused.legal) == legal
        return refused is None

    def refused(self, service: str, body: Any, actor: Actor) -> Why | None:
        refused = self.tried(service, body, actor)
        return refused.why if refused else None

    def tried(self, service: str, body: Any, actor: Actor) -> Refused | None:
        try:
            self.lives[service].say(body, actor, NOTE)
        except Refused as refused:
            return refused
        return None

    def routing_legs(self) -> list[Any]:
        return list(self.lives["partner-routing"].state.legs.values())

    def leg(self, chance: random.Random) -> tuple[str, Leg] | None:
        """One of the latest legs, as routing and as the model have it: both keep the order of offers."""
        legs = self.routing_legs()
        if not legs:
            return None
        number = max(0, len(legs) - 1 - chance.choice([0, 0, 0, 1, 1, 2, 5]))
        return legs[number].id, self.model.legs[number]

    def deliver(self, chance: random.Random) -> None:
        while lanes := list(self.waiting()):
            writer, reader = chance.choice(lanes)
            place = self.seen.get((writer, reader), 0)
            self.seen[writer, reader] = place + 1
            source = self.lives[writer]
            fact: Any = source.decider.fact_type.FromString(source.document.facts[writer][place])
            told[fact.WhichOneof("fact")] += 1
            self.lives[reader].hear(writer, fact, OFFICER if writer == "intake" else SUPERVISOR)
        self.model.settle()

    def waiting(self) -> Iterator[tuple[str, str]]:
        for writer, readers in READERS.items():
            for reader in readers:
                if self.seen.get((writer, reader), 0) < self.lives[writer].document.length(writer):
                    yield writer, reader


def test_random_lives_never_leave_the_model() -> None:
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS_OF_A_LIFE,
            derandomize="LIFECYCLE_STEPS" not in os.environ,  # each night other lives
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_lives_see_every_kind_of_fact_of_the_table() -> None:
    """From fixed seeds, so that what is seen does not depend on luck; whoever adds a move sees it reached here."""
    told.clear()
    expected = {move.fact for move in (*REFERRAL_MOVES, *LEG_MOVES)} - NOT_HERE
    for seed in range(AT_MOST):
        if seed >= LIVES and expected <= set(told):
            break
        life, chance = Lives(), random.Random(seed)
        life.begin()
        for _ in range(STEPS_OF_A_LIFE):
            life.live(chance)
            life.is_as_the_model_says()
    assert expected <= set(told)
