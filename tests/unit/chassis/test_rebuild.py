"""A rebuild gives the same facts and views in whatever order topics are read, and never takes a fact away."""

import random
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_DOMESTIC_ABUSE,
    FIELD_GROUP_NARRATIVE,
    GRADE_RED,
    SERVICE_KIND_SCHOOL,
    SUBJECT_ROLE_VICTIM,
    Actor,
    Deadline,
    Sealed,
)
from services.chassis import spool as spooling
from services.chassis.deciding import Decider, Upstream
from services.chassis.engine.document import serialized, stamp, view_of
from services.chassis.rebuild import CannotRebuild, made
from services.chassis.spool import Spool
from services.intake.domain import IntakeDecider
from services.partner_routing.domain import RoutingDecider
from services.triage.domain import TriageDecider

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OFFICER = Actor(role=ROLE_OFFICER, id="officer-1", kind="police_officer")
DECIDERS: Sequence[Decider[Any]] = (IntakeDecider(), TriageDecider(), RoutingDecider())
REFERRALS = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(4)]

Told = tuple[str, Any]
"""A writer and one of its facts."""


def a_deadline(clock: str, hours: int) -> Deadline:
    made = Deadline(clock=clock)
    made.at.FromDatetime(NOON + timedelta(hours=hours))
    return made


def a_referral(referral_id: str) -> dict[str, list[Any]]:
    """The facts of three writers: raised, asked, answered, routed, offered, accepted, completed."""
    sealed = Sealed(key_id="narrative", nonce=bytes(12), ciphertext=bytes(20), group=FIELD_GROUP_NARRATIVE, version=1)
    leg = str(uuid.uuid5(uuid.UUID(referral_id), "leg"))
    raised = intake_pb2.Raised(kinds=[CONCERN_KIND_DOMESTIC_ABUSE], area="bristol", parts=[sealed])
    raised.subjects.add(number=1, role=SUBJECT_ROLE_VICTIM)
    supplied = intake_pb2.InformationSupplied(information=sealed)
    supplied.signs.weapon = True
    offered = routing_pb2.Offered(leg_id=leg, partner_id="oak-school", service=SERVICE_KIND_SCHOOL)
    offered.respond_by.CopyFrom(a_deadline("respond_red", 1))
    requested = triage_pb2.RequestedLeg(leg_id=leg, service=SERVICE_KIND_SCHOOL, purpose="child_protection")
    facts: dict[str, list[Any]] = {
        "intake": [
            intake_pb2.IntakeFact(raised=raised),
            intake_pb2.IntakeFact(information_supplied=supplied),
        ],
        "triage": [
            triage_pb2.TriageFact(graded=triage_pb2.Graded(grade=GRADE_RED, decide_by=a_deadline("decide_red", 2))),
            triage_pb2.TriageFact(
                information_requested=triage_pb2.InformationRequested(question=sealed, answer_by=a_deadline("ask", 9))
            ),
            triage_pb2.TriageFact(routed=triage_pb2.Routed(legs=[requested])),
        ],
        "partner-routing": [
            routing_pb2.RoutingFact(offered=offered),
            routing_pb2.RoutingFact(accepted=routing_pb2.Accepted(leg_id=leg)),
            routing_pb2.RoutingFact(completed=routing_pb2.Completed(leg_id=leg, outcome=partner_pb2.OUTCOME_MADE_SAFE)),
            routing_pb2.RoutingFact(outcome_known=routing_pb2.OutcomeKnown(tell_by=a_deadline("tell_outcome", 99))),
        ],
    }
    return {writer: stamp(found, referral_id, 0, NOON, OFFICER, f"{writer}-cause") for writer, found in facts.items()}


STORIES = {referral_id: a_referral(referral_id) for referral_id in REFERRALS}


def read_by(decider: Decider[Any], story: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """What one service reads of a referral: its own facts and its upstreams'."""
    return {writer: story[writer] for writer in (decider.writer, *decider.upstream_types)}


def interleaved(decider: Decider[Any], chance: random.Random) -> list[Told]:
    """Facts of all referrals as consumers may meet them: each writer in its order, writers mixed, some repeated."""
    lanes = [
        [(writer, fact) for fact in facts[: chance.randint(0, len(facts))]]
        for story in STORIES.values()
        for writer, facts in read_by(decider, story).items()
    ]
    order = [number for number, lane in enumerate(lanes) for _ in lane]
    chance.shuffle(order)
    waiting = [iter(lane) for lane in lanes]
    told = [next(waiting[number]) for number in order]
    return told + (chance.choices(told, k=chance.randint(0, 5)) if told else [])


def heard(writer: str, fact: Any) -> Upstream:
    header = fact.header
    return Upstream(header.referral_id, header.event_id, header.actor, writer, fact, header.sequence)


def spooled(told: Iterable[Told], folder: Path | None = None) -> dict[str, dict[str, list[bytes]]]:
    with Spool(folder) as spool:
        for writer, fact in told:
            spool.add(heard(writer, fact), serialized(fact))
        assert spool.survey().faults == []
        return dict(spool)


def are_the_documents_that_the_service_had(decider: Decider[Any], told: Sequence[Told]) -> None:
    seen: set[str] = set()
    states: dict[str, Any] = {}
    for writer, fact in told:
        if fact.header.event_id not in seen:
            seen.add(fact.header.event_id)
            before = states.get(fact.header.referral_id, decider.initial())
            states[fact.header.referral_id] = decider.evolve(before, writer, fact)

    documents = {id: made(decider, id, facts, None) for id, facts in spooled(told).items()}

    assert {id: document["view"] for id, document in documents.items()} == {
        id: view_of(decider, state) for id, state in states.items()
    }
    for id, document in documents.items():
        for writer, raws in document["facts"].items():
            assert raws == [serialized(fact) for fact in STORIES[id][writer]][: len(raws)]
        assert document["published"] == len(document["facts"].get(decider.writer, ()))
        assert ("pending" in document, document["copies"]) == (False, [])


@pytest.mark.parametrize("decider", DECIDERS, ids=lambda decider: decider.writer)
def test_any_interleaving_gives_the_documents_that_the_service_had(decider: Decider[Any]) -> None:
    for case in range(100):
        are_the_documents_that_the_service_had(decider, interleaved(decider, random.Random(case)))


@pytest.mark.parametrize("decider", DECIDERS, ids=lambda decider: decider.writer)
def test_an_older_copy_and_an_empty_store_end_alike(decider: Decider[Any]) -> None:
    story = read_by(decider, STORIES[REFERRALS[0]])
    facts = {writer: [serialized(fact) for fact in found] for writer, found in story.items()}
    whole = made(decider, REFERRALS[0], facts, None)
    older = made(decider, REFERRALS[0], {writer: found[:1] for writer, found in facts.items()}, None)

    assert made(decider, REFERRALS[0], facts, older) == whole
    assert made(decider, REFERRALS[0], facts, whole) == whole


def test_what_was_stored_and_not_yet_published_is_kept_and_sent() -> None:
    decider = TriageDecider()
    facts = {w: [serialized(f) for f in found] for w, found in read_by(decider, STORIES[REFERRALS[0]]).items()}
    whole = {
        **made(decider, REFERRALS[0], facts, None),
        "copies": [{"event_id": "1", "topic": "t", "type": "x", "value": b""}],
    }
    on_topics = {"intake": facts["intake"], "triage": facts["triage"][:2]}

    kept = made(decider, REFERRALS[0], on_topics, whole)

    assert kept["facts"] == facts
    assert (kept["published"], kept["pending"], kept["copies"]) == (2, True, whole["copies"])


def test_a_store_that_tells_another_story_than_the_topic_is_refused() -> None:
    decider = IntakeDecider()
    mine = {"intake": [serialized(STORIES[REFERRALS[0]]["intake"][0])]}
    other = {"facts": {"intake": [serialized(STORIES[REFERRALS[1]]["intake"][0])]}}

    with pytest.raises(CannotRebuild, match=f"differ in referral {REFERRALS[0]}, intake's fact 1"):
        made(decider, REFERRALS[0], mine, other)


def test_what_does_not_fit_into_memory_is_read_back_from_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [(writer, fact) for story in STORIES.values() for writer, facts in story.items() for fact in facts]
    in_memory = spooled(told)

    monkeypatch.setattr(spooling, "IN_MEMORY", 1_000)

    assert spooled(told, tmp_path) == in_memory
    assert len(in_memory) == len(REFERRALS)


@pytest.mark.parametrize("in_memory", [spooling.IN_MEMORY, 1], ids=["in memory", "on disk"])
def test_forks_and_gaps_are_named_and_repeats_are_not(
    in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "IN_MEMORY", in_memory)
    first, second = STORIES[REFERRALS[0]]["intake"]
    fork = intake_pb2.IntakeFact()
    fork.CopyFrom(second)
    fork.header.event_id = str(uuid.uuid4())
    gap = STORIES[REFERRALS[1]]["triage"][2]

    with Spool(tmp_path) as spool:
        for writer, fact in [("intake", second), ("intake", first), ("intake", first), ("triage", gap)]:
            spool.add(heard(writer, fact), serialized(fact))
        assert [fault.referral_id for fault in spool.survey().faults] == [REFERRALS[1]]
        spool.add(heard("intake", fork), serialized(fork))
        found = [str(fault) for fault in spool.survey().faults]

    assert found == [
        f"referral {REFERRALS[0]}, intake's fact 2: a fork: two different facts of one sequence",
        f"referral {REFERRALS[1]}, triage's facts: a gap among the 1 there are",
    ]
    assert list(tmp_path.iterdir()) == []
