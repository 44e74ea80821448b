"""What the scenario states by itself is what rules, agreements and directory give; and wrong files are refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_PUBLIC, ROLE_VOLUNTEER
from safeguarding.v1.common_pb2 import (
    FIELD_GROUP_ASSESSMENT,
    FIELD_GROUP_CIRCUMSTANCES,
    FIELD_GROUP_CONTACT,
    FIELD_GROUP_IDENTIFIERS,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    FIELD_GROUP_PLACE,
    FIELD_GROUP_RAISER,
    FIELD_GROUP_SIGNS,
    FIELD_GROUP_VEHICLE,
    GRADE_GREEN,
    GRADE_RED,
    SUBJECT_ROLE_BUSINESS,
    SUBJECT_ROLE_VICTIM,
)
from safeguarding.v1.concern_pb2 import Contact, Narrative
from safeguarding.v1.partner_pb2 import CopiedSubject, Offer
from services.chassis.areafile import FileRefused
from services.chassis.areas import load_areas
from services.chassis.clocks import load_clocks
from services.chassis.directory import Partner
from services.chassis.language import OUTCOMES, SERVICES, Basis, Group, Service
from services.cli.scenario import (
    Accompany,
    Answer,
    Ask,
    Confer,
    Override,
    Recall,
    Route,
    ScenarioConcern,
    TakeNoFurtherAction,
    load_scenario,
    paths_in,
    paths_of,
    prepare_area,
    raisings,
)
from services.partner_routing.agreements import disclose, load_agreements
from services.partner_routing.directory import choose, lead
from services.shields import hides
from services.triage.rules import Assessment, Features, load_rules

ROOT = Path(__file__).parents[3]
AREA = ROOT / "deploy" / "areas" / "avon-and-somerset"
FOLDER = ROOT / "deploy" / "local" / "scenario"

SCENARIO = load_scenario(FOLDER)
RULES = load_rules(AREA)
AGREEMENTS = load_agreements(AREA)
PARTNERS = tuple(
    Partner(
        id=each.id,
        name=each.name,
        kind=each.kind,
        serves=tuple(SERVICES.word(service) for service in each.serves),
        areas=tuple(each.areas),
        public_key=b"",
        kafka=each.kafka,
        lead=each.lead,
    )
    for each in load_areas(AREA).partners
)
PATHS: dict[Group, str] = {
    FIELD_GROUP_IDENTITY: "subjects[{}].identity",
    FIELD_GROUP_IDENTIFIERS: "subjects[{}].identifiers",
    FIELD_GROUP_CONTACT: "subjects[{}].contact",
    FIELD_GROUP_CIRCUMSTANCES: "subjects[{}].circumstances",
    FIELD_GROUP_NARRATIVE: "narratives",
    FIELD_GROUP_PLACE: "place",
    FIELD_GROUP_RAISER: "raiser",
    FIELD_GROUP_VEHICLE: "vehicle",
    FIELD_GROUP_SIGNS: "signs",
    FIELD_GROUP_ASSESSMENT: "grade",
}

every_concern = pytest.mark.parametrize("stated", SCENARIO, ids=[each.name for each in SCENARIO])


@dataclass(frozen=True)
class Wanted:
    """A leg as triage asks for it, whoever decided."""

    service: Service
    purpose: str
    basis: Basis


def assess(stated: ScenarioConcern) -> Assessment:
    """What the rules say, all answers known."""
    concern = stated.concern
    return RULES.assess(
        Features(
            kinds=frozenset(concern.kinds),
            signs=stated.signs,
            roles=frozenset(subject.role for subject in concern.subjects),
            area=concern.area,
            anonymous=concern.anonymous,
            raiser_role=stated.raiser.role,
            raiser_kind=stated.raiser.kind,
        )
    )


def wanted(stated: ScenarioConcern) -> list[Wanted]:
    """The legs of triage: by rule, and by the desk where the scenario says so."""
    by_rule = [Wanted(leg.service, leg.purpose, leg.basis) for leg in assess(stated).legs]
    routes = [action for action in stated.desk if isinstance(action, Route)]
    return by_rule + [Wanted(leg.service, leg.purpose, leg.basis) for route in routes for leg in route.leg]


def offered(stated: ScenarioConcern, leg: Wanted) -> Iterator[tuple[Partner, bool]]:
    """Whom routing offers a leg, one after the other, as partners answer, and whether it is an escalation."""
    asked: set[str] = set()
    while True:
        partner = choose(PARTNERS, leg.service, stated.concern.area, date(2026, 11, 20), asked)
        assert partner is not None, f"nobody gives {SERVICES.word(leg.service)}"
        yield partner, False
        asked.add(partner.id)
        behaviour = stated.partners.get(partner.id)
        if behaviour is None or "declined" not in behaviour.replies:
            break
    if behaviour is not None and behaviour.is_silent:
        leading = lead(PARTNERS, stated.concern.area)
        assert leading is not None
        yield leading, True


def given(stated: ScenarioConcern, leg: Wanted, partner: Partner) -> frozenset[str]:
    """The paths of the copy that the partner's agreement makes, without what the raiser shields from it."""
    told = disclose(
        AGREEMENTS[partner.id],
        leg.purpose,
        stated.concern.kinds,
        leg.basis,
        stated.signs.consents_to_support,
        [(number, subject.role) for number, subject in enumerate(stated.concern.subjects, start=1)],
        date(2026, 11, 23),
    )
    present = paths_of(stated.concern) | ({"signs"} if stated.signs.ByteSize() else set())
    shields = stated.concern.shields
    return present & {
        PATHS[group].format(number) for group, number, _ in told.given if not hides(shields, partner.id, group, number)
    }


@every_concern
def test_partners_and_fields_are_those_that_rules_agreements_and_directory_give(stated: ScenarioConcern) -> None:
    heard = {
        partner.id: (given(stated, leg, partner), escalated)
        for leg in wanted(stated)
        for partner, escalated in offered(stated, leg)
    }

    assert set(heard) == set(stated.partners)
    for name, expected in stated.partners.items():
        paths, escalated = heard[name]
        assert paths == expected.must_get, name
        assert paths.isdisjoint(expected.must_not_get)
        assert escalated == expected.escalated
        assert paths, f"{name} would get a copy that says nothing"


@every_concern
def test_the_grade_is_that_of_the_rules_unless_the_desk_set_another(stated: ScenarioConcern) -> None:
    overrides = [action.grade for action in stated.desk if isinstance(action, Override)]

    assert stated.ending.grade == (overrides[-1] if overrides else assess(stated).grade)


@every_concern
def test_no_partner_is_asked_for_two_legs_of_one_referral(stated: ScenarioConcern) -> None:
    asked = [partner.id for leg in wanted(stated) for partner, _ in offered(stated, leg)]

    assert len(asked) == len(set(asked))


@every_concern
def test_the_ending_follows_from_what_partners_answer(stated: ScenarioConcern) -> None:
    outcomes = [each.outcome for each in stated.partners.values() if each.outcome]
    took_none = any(isinstance(action, TakeNoFurtherAction) for action in stated.desk)

    if outcomes:
        assert stated.ending.outcome == OUTCOMES.word(min(outcomes))
    else:
        assert stated.ending.outcome == ("no_further_action" if took_none else "not_helped")
    assert (stated.ending.raiser == "anonymous") == stated.concern.anonymous == (not stated.ending.reads)
    assert took_none == (not stated.partners)


@every_concern
def test_a_victim_is_told_by_the_lead_agency_where_it_has_a_leg_and_else_by_the_desk(
    stated: ScenarioConcern,
) -> None:
    victims = {SUBJECT_ROLE_VICTIM, SUBJECT_ROLE_BUSINESS}
    has_victim = any(subject.role in victims for subject in stated.concern.subjects)

    assert (stated.ending.victim is not None) == has_victim
    if stated.ending.victim is not None:
        leads = "police-safeguarding" in stated.partners
        assert stated.ending.victim.told_by == ("lead" if leads else "desk")
        first = next(offered(stated, wanted(stated)[0]))[0]
        assert first.lead == leads, "the first leg leads on telling, so it must be the lead agency's"


@every_concern
def test_the_desk_does_only_what_the_rules_leave_to_it(stated: ScenarioConcern) -> None:
    by_rule = assess(stated)
    decides = [action for action in stated.desk if isinstance(action, Route | TakeNoFurtherAction)]

    assert bool(decides) == (not by_rule.legs), "the desk routes or closes exactly where no leg opens by rule"
    if any(isinstance(action, TakeNoFurtherAction) and action.by == "triage" for action in decides):
        assert by_rule.grade < GRADE_RED
    for action in stated.desk:
        if isinstance(action, Recall):
            assert stated.partners[action.partner].replies[-1] == "recall_acknowledged"
        if isinstance(action, Override):
            assert action.grade > by_rule.grade
        if isinstance(action, Ask):
            before = Features(
                frozenset(stated.concern.kinds),
                stated.concern.signs,
                frozenset(subject.role for subject in stated.concern.subjects),
                stated.concern.area,
                stated.concern.anonymous,
                stated.raiser.role,
                stated.raiser.kind,
            )
            assert not RULES.assess(before).legs, "the question would come too late"


def test_the_set_holds_what_the_issue_asks_for() -> None:
    kinds = {stated.raiser.kind for stated in SCENARIO}
    actions = {type(action) for stated in SCENARIO for action in stated.desk}
    partners = {name for stated in SCENARIO for name in stated.partners}
    replies = {word for stated in SCENARIO for each in stated.partners.values() for word in each.replies}

    assert len(SCENARIO) >= 24
    assert {
        "special_constable", "police_support_volunteer", "police_cadet", "neighbourhood_watch", "farm_watch",
        "community_speedwatch", "school_system",
    } <= kinds  # fmt: skip
    assert {stated.area for stated in SCENARIO} == {1, 2, 3, 4, 5, 6}
    assert {ROLE_OFFICER, ROLE_VOLUNTEER, ROLE_PUBLIC} <= {stated.raiser.role for stated in SCENARIO}
    assert sum(stated.concern.anonymous for stated in SCENARIO) == 1
    assert actions == {Accompany, Answer, Ask, Confer, Override, Route, TakeNoFurtherAction, Recall}
    assert partners == {partner.id for partner in PARTNERS}
    assert len(partners) >= 10
    assert {"declined", "failed", "on_hold", "recall_acknowledged"} <= replies
    assert any(stated.concern.shields for stated in SCENARIO)
    assert any(each.is_silent for stated in SCENARIO for each in stated.partners.values())
    assert {assess(stated).grade for stated in SCENARIO} >= {GRADE_GREEN, GRADE_RED}
    assert len({stated.name for stated in SCENARIO}) == len(SCENARIO)


def test_one_raiser_has_one_kind() -> None:
    kinds: dict[tuple[int, str], set[str]] = {}
    for stated in SCENARIO:
        kinds.setdefault((stated.raiser.role, stated.raiser.id), set()).add(stated.raiser.kind)

    assert all(len(found) == 1 for found in kinds.values())


def test_sixty_raisings_go_round_under_keys_of_their_own() -> None:
    made = raisings(SCENARIO, 60, "a1b2")

    assert len({each.idempotency_key for each in made}) == 60
    assert {each.stated.name for each in made} == {stated.name for stated in SCENARIO}
    assert all(16 <= len(each.idempotency_key) <= 100 for each in made)
    assert {each.idempotency_key for each in raisings(SCENARIO, 60, "other")}.isdisjoint(
        each.idempotency_key for each in made
    )


def test_the_demos_copy_of_an_area_has_one_short_clock_and_no_other(tmp_path: Path) -> None:
    prepare_area(AREA, FOLDER, tmp_path / "area")
    start = datetime(2026, 11, 23, 12, tzinfo=UTC)

    short, real = load_clocks(tmp_path / "area"), load_clocks(AREA)

    changed = {
        name for name in real.rules if short.deadline(name, start, "bristol") != real.deadline(name, start, "bristol")
    }
    silent = {name for stated in SCENARIO for name, each in stated.partners.items() if each.is_silent}
    assert changed == {AGREEMENTS[name].respond_clock for name in silent}
    assert short.deadline("respond_turning_tide", start, "bristol") - start < timedelta(seconds=10)


def test_only_partners_that_are_always_silent_have_a_short_clock() -> None:
    silent = {name for stated in SCENARIO for name, each in stated.partners.items() if each.is_silent}

    assert all(each.is_silent for stated in SCENARIO for name, each in stated.partners.items() if name in silent)


def test_the_paths_of_an_offer_are_what_it_holds_and_nothing_else() -> None:
    offer = Offer(
        grade=GRADE_RED,
        narratives=[Narrative(text="n")],
        subjects=[CopiedSubject(number=2, contact=Contact(telephone="1"))],
    )

    assert paths_in(offer) == {"grade", "narratives", "subjects[2].contact"}
    assert paths_in(Offer()) == frozenset()


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        ('kinds = ["hate_crime"]', 'kinds = ["hat_crime"]', "'hat_crime' is no such word"),
        ('area = "bath', 'arena = "bath', "Concern has no field arena"),
        ('area = "bath-and-north-east-somerset"', 'area = "Bath"', "this is no Concern"),
        (
            '"narratives", "place", "raiser", "signs", "grade"]\nmust_not_get = []',
            '"place"]\nmust_not_get = []',
            "nowhere",
        ),
        ("must_not_get = []", 'must_not_get = ["place"]', "place is stated twice and differently"),
        ('must_get = ["subjects[1]"]', 'must_get = ["subjects[1]", "vehicle"]', "no vehicle to give"),
        ('id = "victims-first"', 'id = "neighbourhood-policing"', "is stated twice"),
        ('outcome = "action_taken"\n\n[[partner]]', "\n[[partner]]", "completed and its outcome"),
        ('raiser = "reads"', 'raiser = "sees"', "'raiser'"),
        ("[ending]", '[[desk]]\ndo = "shrug"\n\n[ending]', "'desk'"),
    ],
)
def test_a_wrong_concern_is_refused(tmp_path: Path, before: str, after: str, wrong: str) -> None:
    (tmp_path / "concerns").mkdir()
    path = Path(shutil.copy(FOLDER / "concerns" / "28-slogans-on-a-door.toml", tmp_path / "concerns"))
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))

    with pytest.raises(FileRefused) as caught:
        load_scenario(tmp_path)

    assert caught.value.file == path
    assert wrong in str(caught.value)
    assert caught.value.line >= 1
