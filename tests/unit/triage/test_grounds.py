"""Without consent what rests on it stops; the rest goes ahead, and each leg keeps why."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import triage_pb2
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    CONCERN_KIND_DOMESTIC_ABUSE,
    CONCERN_KIND_RURAL_CRIME,
    LAWFUL_BASIS_CONSENT,
    LAWFUL_BASIS_PUBLIC_TASK,
    LAWFUL_BASIS_SAFEGUARDING,
    SERVICE_KIND_HOUSING,
    LawfulBasis,
)
from safeguarding.v1.concern_pb2 import Signs
from services.chassis.areafile import FileRefused
from services.chassis.deciding import Refused, Why
from services.grounds import load_grounds
from services.partner_routing.domain import RoutingDecider
from services.triage.area import Area
from services.triage.domain import TriageDecider
from services.triage.rules import load_rules
from tests.unit.domains import DESK, Life, raised
from tests.unit.partner_routing.life import FULL, reply, request, routed
from tests.unit.partner_routing.life import Area as FourPartners

FOLDER = Path(__file__).parents[3] / "deploy/areas/avon-and-somerset"
AREA = Area(FOLDER)
PREJUDICE = "would_prejudice_protection"


def legs_of(kind: Any, signs: Signs) -> list[triage_pb2.RequestedLeg]:
    """What the rules ask for."""
    facts = Life(TriageDecider(), AREA).hear("intake", raised([kind], signs))
    return [leg for fact in facts if fact.WhichOneof("fact") == "routed" for leg in fact.routed.legs]


def ask(life: Life, basis: Any, ground: str = "") -> triage_pb2.RequestedLeg:
    """The desk routes to housing."""
    leg = triage_pb2.DeskLeg(
        service=SERVICE_KIND_HOUSING, purpose="settled_home", basis=basis, necessity="x", without_consent=ground
    )
    [fact] = life.say(triage_pb2.RouteRequest(legs=[leg]), DESK)
    [asked] = fact.routed.legs
    found: triage_pb2.RequestedLeg = asked
    return found


def waiting(signs: Signs | None = None) -> Life:
    life = Life(TriageDecider(), AREA)
    life.hear("intake", raised([CONCERN_KIND_RURAL_CRIME], signs))
    return life


@pytest.mark.parametrize("kind", [CONCERN_KIND_CHILD_AT_RISK, CONCERN_KIND_DOMESTIC_ABUSE])
def test_every_leg_that_rules_ask_for_keeps_why_it_goes_ahead_without_consent(kind: Any) -> None:
    legs = legs_of(kind, Signs(dash_score=14, child_lives_here=True, child_under_five=True, immediate_danger=True))

    assert len(legs) > 1
    for leg in legs:
        assert leg.without_consent.words, LawfulBasis.Name(leg.basis)
        assert leg.without_consent.source
        assert leg.without_consent.id in {ground.id for ground in AREA.grounds(leg.basis)}


def test_where_the_person_agreed_no_leg_keeps_one() -> None:
    legs = legs_of(CONCERN_KIND_DOMESTIC_ABUSE, Signs(child_lives_here=True, consents_to_support=True))

    assert LAWFUL_BASIS_CONSENT in {leg.basis for leg in legs}
    assert not any(leg.HasField("without_consent") for leg in legs)


def test_where_the_person_agreed_a_leg_of_a_rule_keeps_on_what_ground_it_goes_ahead_once_they_take_that_back() -> None:
    legs = legs_of(CONCERN_KIND_DOMESTIC_ABUSE, Signs(child_lives_here=True, consents_to_support=True))

    for leg in legs:
        possible = {ground.id for ground in AREA.grounds(leg.basis)}
        assert leg.HasField("if_consent_ends") == bool(possible)
        assert leg.if_consent_ends.id in possible | {""}


def test_the_desks_leg_keeps_one_only_where_its_basis_has_no_other() -> None:
    agreed = Signs(consents_to_support=True)

    assert ask(waiting(agreed), LAWFUL_BASIS_PUBLIC_TASK).if_consent_ends.id == "task_does_not_turn_on_consent"
    assert not ask(waiting(agreed), LAWFUL_BASIS_SAFEGUARDING).HasField("if_consent_ends")


def test_the_desk_names_a_reason_where_the_basis_has_several() -> None:
    leg = ask(waiting(), LAWFUL_BASIS_SAFEGUARDING, PREJUDICE)

    assert leg.without_consent.id == PREJUDICE
    assert "paragraph 18(2)(c)" in leg.without_consent.source


def test_of_one_that_has_a_single_reason_it_is_taken() -> None:
    assert ask(waiting(), LAWFUL_BASIS_PUBLIC_TASK).without_consent.id == "task_does_not_turn_on_consent"


def test_the_desk_that_gives_no_reason_is_refused_and_told_which_there_are() -> None:
    life = waiting()
    before = life.state

    with pytest.raises(Refused) as refused:
        ask(life, LAWFUL_BASIS_SAFEGUARDING)

    assert refused.value.why is Why.ILLEGAL
    assert PREJUDICE in refused.value.right
    assert refused.value.field == "legs.without_consent"
    assert "Route" in refused.value.legal
    assert life.state == before


@pytest.mark.parametrize(
    ("signs", "basis", "ground"),
    [
        (None, LAWFUL_BASIS_SAFEGUARDING, "it_seemed_right"),
        (None, LAWFUL_BASIS_PUBLIC_TASK, PREJUDICE),
        (Signs(consents_to_support=True), LAWFUL_BASIS_SAFEGUARDING, PREJUDICE),
        (Signs(consents_to_support=True), LAWFUL_BASIS_CONSENT, PREJUDICE),
    ],
    ids=["no such reason", "another basis's", "the person agreed", "it rests on their consent"],
)
def test_a_reason_that_is_none_here_is_refused(signs: Signs | None, basis: Any, ground: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(waiting(signs), basis, ground)

    assert refused.value.why is Why.INVALID
    assert refused.value.right


def test_the_offer_keeps_the_reason_and_so_does_the_next_partner_s() -> None:
    asked = request()
    asked.without_consent.id, asked.without_consent.words = PREJUDICE, "To ask would put it at risk."
    life = Life(RoutingDecider(), FourPartners())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK]))
    [first] = life.hear("triage", routed(asked), DESK)
    [_, second] = reply(life, FULL)

    assert first.offered.without_consent == second.offered.without_consent == asked.without_consent
    assert second.offered.partner_id == "council-b"


BROKEN = [
    ("grounds.toml", 'bases = ["law_enforcement"]', 'bases = ["public_task"]', "no ground for law_enforcement"),
    ("grounds.toml", 'bases = ["public_task"]', 'bases = ["consent"]', "what rests on consent stops without it"),
    ("grounds.toml", 'code = "life_at_risk"', 'code = "cannot_be_given"', "cannot_be_given is stated twice"),
    ("grounds.toml", 'code = "life_at_risk"', 'cod = "life_at_risk"', "unknown key 'cod'"),
    ("grounds.toml", 'source = "UK GDPR, Article 6(1)(d);', 'source = "" #', "source is empty"),
    ("rules.toml", 'without_consent = "would_prejudice_protection"\n', "", "the leg names none"),
    ("rules.toml", f'"{PREJUDICE}"', '"life_at_risk"', "life_at_risk is no ground for safeguarding"),
    ("rules.toml", 'basis = "consent"', f'basis = "consent"\nwithout_consent = "{PREJUDICE}"', "no ground for consent"),
]


@pytest.mark.parametrize(("file", "before", "after", "wrong"), BROKEN, ids=[row[3] for row in BROKEN])
def test_a_file_that_leaves_the_reason_open_is_refused(
    tmp_path: Path, file: str, before: str, after: str, wrong: str
) -> None:
    area = Path(shutil.copytree(FOLDER, tmp_path / "area"))
    text = (area / file).read_text()
    assert before in text
    (area / file).write_text(text.replace(before, after, 1))

    with pytest.raises(FileRefused) as refused:
        load_rules(area) if file == "rules.toml" else load_grounds(area)

    assert wrong in refused.value.wrong
    assert refused.value.file == area / file
    assert refused.value.line > 0
    assert refused.value.right
