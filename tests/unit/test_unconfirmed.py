"""What no practitioner has confirmed says so, and why, wherever it shows: every place is walked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from safeguarding.v1 import audit_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_DOMESTIC_ABUSE,
    FIELD_GROUP_ASSESSMENT,
    LAWFUL_BASIS_LAW_ENFORCEMENT,
    SUBJECT_ROLE_VICTIM,
)
from services.audit.entries import entry_of
from services.chassis.directory import Partner
from services.chassis.kafka_in.chunk import Record
from services.cli import audit_search, desk, inbox, journey, showing
from services.cli.audit_search import CSV
from services.partner_routing import views
from services.partner_routing.area import Snapshot, load_stated, snapshot
from services.partner_routing.copies import content
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.preview import previewed
from services.topics import ROUTING, TRIAGE
from services.triage.api import item
from services.triage.area import Area
from services.triage.domain import TriageDecider
from tests.unit.domains import DESK, NOON, REFERRAL, Life, raised
from tests.unit.partner_routing.life import ACCEPTED, reply

FOLDER = Path(__file__).parents[2] / "deploy/areas/avon-and-somerset"
PARTNER = "police-safeguarding"
UNIT = Partner(PARTNER, "Unit", "police_unit", ("police_safeguarding",), ("bristol",), b"", True, True)
RULE, CLOCK, GROUND = "domestic_abuse", "respond_amber", "consent_would_defeat_enforcement"
RULE_REASON = "the local threshold for the unit has not been confirmed"
CLOCK_REASON = "our own default, to be agreed in each agreement"
DESK_REASON = "our own default, to be agreed with the force and the councils"
GROUND_REASON = "whether it carries each purpose has not been confirmed"


@dataclass(frozen=True)
class Lives:
    """One referral of domestic abuse, as triage and as routing know it, with the facts that each published."""

    triage: Life
    routing: Life
    graded: Any
    routed: Any
    offered: Any


@cache
def lives() -> Lives:
    concern = raised([CONCERN_KIND_DOMESTIC_ABUSE], roles=[SUBJECT_ROLE_VICTIM])
    triage = Life(TriageDecider(), Area(FOLDER))
    graded, routed = triage.hear("intake", concern)
    routing = Life(RoutingDecider(), area())
    routing.hear("intake", concern)
    routing.hear("triage", graded, DESK)
    facts = routing.hear("triage", routed, DESK)
    [offered] = [fact for fact in facts if fact.WhichOneof("fact") == "offered"]
    reply(routing, ACCEPTED, PARTNER, offered.offered.leg_id)
    return Lives(triage, routing, graded, routed, offered)


@cache
def area() -> Snapshot:
    return snapshot((UNIT,), load_stated(FOLDER))


def copy(*, knows_the_assessment: bool = True) -> partner_pb2.Copy:
    fact = type(lives().offered)()
    fact.CopyFrom(lives().offered)
    if not knows_the_assessment:
        kept = [given for given in fact.offered.given if given.group != FIELD_GROUP_ASSESSMENT]
        del fact.offered.given[:]
        fact.offered.given.extend(kept)
    told = content(lives().routing.state, fact, {})
    assert told is not None
    return told[2]


def reminder() -> partner_pb2.Copy:
    [reached, *_] = lives().routing.state.clocks
    fact = routing_pb2.RoutingFact()
    fact.clock_reached.leg_id = lives().offered.offered.leg_id
    fact.clock_reached.deadline.CopyFrom(reached.deadline)
    fact.clock_reached.percent = 50
    told = content(lives().routing.state, fact, {})
    assert told is not None
    return told[2]


def found() -> routing_pb2.GetJourneyResponse:
    document = lives().routing.document
    shown = views.journey(document)
    shown.stated.extend(views.stated_clocks(shown, area().clocks, "bristol"))
    return shown


def preview() -> routing_pb2.PreviewDisclosureResponse:
    asked = routing_pb2.PreviewDisclosureRequest(
        referral_id=REFERRAL,
        partner_id=PARTNER,
        purpose="domestic_abuse_safety",
        basis=LAWFUL_BASIS_LAW_ENFORCEMENT,
    )
    return previewed(area(), lives().routing.state, asked, NOON)


def entry(topic: str, fact: Any) -> audit_pb2.TimelineEntry:
    record = Record(topic, 0, 7, 0, REFERRAL.encode(), fact.SerializeToString(), ())
    return entry_of(record).timeline


def in_inbox() -> routing_pb2.InboxItem:
    [shown] = views.inbox([lives().routing.document], PARTNER, 5)
    return shown


def read(message: Any) -> str:
    return message if isinstance(message, str) else MessageToJson(message, ensure_ascii=False)


def cells(row: Any) -> str:
    return " | ".join(map(str, row))


SHOWN: Mapping[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "the grade, as a fact": (lambda: lives().graded, (RULE, RULE_REASON, DESK_REASON)),
    "the leg that triage asks for": (lambda: lives().routed, (RULE, RULE_REASON, GROUND, GROUND_REASON)),
    "the desk's worklist": (lambda: item(lives().triage.document), (RULE, DESK_REASON)),
    "the desk's worklist, printed": (
        lambda: cells(desk.row(item(lives().triage.document))),
        (RULE, showing.UNCONFIRMED),
    ),
    "the assessment": (
        lambda: triage_pb2.GetAssessmentResponse(fired=lives().triage.state.fired),
        (RULE, RULE_REASON),
    ),
    "the disclosure, as a fact": (lambda: lives().offered, (RULE, RULE_REASON, GROUND, GROUND_REASON, CLOCK_REASON)),
    "the partner's copy": (copy, ("askedByUnconfirmedRule", RULE, RULE_REASON, GROUND, GROUND_REASON, CLOCK_REASON)),
    "the copy of one who may not know the assessment": (
        lambda: copy(knows_the_assessment=False),
        ("askedByUnconfirmedRule", GROUND, GROUND_REASON, CLOCK_REASON),
    ),
    "the partner's reminder": (reminder, ("unconfirmedReason",)),
    "the partner's inbox": (in_inbox, (CLOCK, CLOCK_REASON)),
    "the partner's inbox, printed": (lambda: cells(inbox.row(in_inbox())), (CLOCK, showing.UNCONFIRMED)),
    "the journey": (found, (RULE, RULE_REASON, GROUND, GROUND_REASON, CLOCK, CLOCK_REASON)),
    "the journey's grade": (lambda: found().graded_by[0], (RULE, RULE_REASON)),
    "the journey's leg, printed": (
        lambda: cells(journey.leg_row(found().legs[0])),
        (RULE, RULE_REASON, GROUND, GROUND_REASON, CLOCK, showing.UNCONFIRMED),
    ),
    "the journey's clocks": (lambda: found().stated[0], ("unconfirmedReason",)),
    "the pre-flight": (preview, (GROUND, GROUND_REASON)),
    "the ledger's grade": (lambda: entry(TRIAGE.name, lives().graded), (RULE, "decide_amber")),
    "the ledger's leg": (lambda: entry(TRIAGE.name, lives().routed), (RULE, GROUND)),
    "the ledger's disclosure": (lambda: entry(ROUTING.name, lives().offered), (RULE, GROUND, CLOCK)),
    "the ledger, printed": (
        lambda: cells(audit_search.row(entry(ROUTING.name, lives().offered))),
        (showing.UNCONFIRMED, RULE, GROUND, CLOCK),
    ),
    "the ledger's CSV": (lambda: csv_row()["unconfirmed"], (RULE, GROUND, CLOCK)),
    "the page of the clocks": (lambda: (FOLDER.parents[2] / "docs/clocks.md").read_text(), (CLOCK, CLOCK_REASON)),
}
"""Each place where a rule, a clock or a ground shows, and what must stand there."""


def csv_row() -> dict[str, Any]:
    return dict(zip(CSV, audit_search.fields(entry(ROUTING.name, lives().offered)), strict=True))


@pytest.mark.parametrize("place", SHOWN)
def test_it_says_that_nobody_confirmed_it_and_why(place: str) -> None:
    show, says = SHOWN[place]

    shown = read(show())

    assert [words for words in says if words not in shown] == [], shown


def test_a_partner_learns_the_words_of_no_rule_since_they_may_say_who_else_is_told() -> None:
    with_, without = copy().offer, copy(knows_the_assessment=False).offer

    assert [rule.id for rule in with_.rules] == [RULE]
    assert not any(rule.words for rule in with_.rules)
    assert not without.rules, "which rule asked is part of the assessment"
    assert without.asked_by_unconfirmed_rule


def test_the_ledger_of_a_fact_that_names_nothing_stated_is_empty() -> None:
    withdrawn = triage_pb2.TriageFact(header=lives().graded.header, entered_in_error=triage_pb2.EnteredInError())

    assert list(entry(TRIAGE.name, withdrawn).unconfirmed) == []
