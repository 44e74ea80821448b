"""Agreements give what a row permits, nothing else, and never what a row forbids."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from safeguarding.v1 import common_pb2 as c
from safeguarding.v1.intake_pb2 import Raised, SealedSubject
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.chassis.areafile import FileRefused
from services.chassis.language import BASES, GROUPS, KINDS, SUBJECT_ROLES
from services.known import Known
from services.partner_routing.agreements import Agreement, disclose, load_agreement, load_agreements
from services.partner_routing.domain import State
from services.partner_routing.domain.offers import disclosed_to

AREA = Path(__file__).parents[3] / "deploy" / "areas" / "avon-and-somerset"
TODAY = date(2026, 11, 23)

PEOPLE = ("identity", "identifiers", "contact", "circumstances")
VICTIM_AND_SUSPECT = [(1, c.SUBJECT_ROLE_VICTIM), (2, c.SUBJECT_ROLE_SUSPECT)]


def agreement(permit: Sequence[dict[str, Any]], forbid: Sequence[dict[str, Any]] = ()) -> Agreement:
    """An agreement with these rows, for purposes `support` and `protect`, in force all through 2026."""
    return Agreement.model_validate(
        {
            "id": "police-and-them",
            "version": 2,
            "partner": "them",
            "purposes": ["support", "protect"],
            "signed_on": date(2026, 1, 1),
            "expires_on": date(2026, 12, 31),
            "source": "invented",
            "permit": [{"id": f"permit_{place}", "words": "w", **row} for place, row in enumerate(permit)],
            "forbid": [{"id": f"forbid_{place}", "words": "w", **row} for place, row in enumerate(forbid)],
        }
    )


def decide(found: Agreement, on: date = TODAY, purpose: str = "support", consent: bool = False) -> set[str]:
    """What is given about a victim (1) and a suspect (2) of a hate crime, as `group/subject by rule`."""
    kinds = [c.CONCERN_KIND_HATE_CRIME]
    told = disclose(found, purpose, kinds, c.LAWFUL_BASIS_PUBLIC_TASK, consent, VICTIM_AND_SUSPECT, on)
    assert len(told.given) + len(told.withheld) == 4 * 2 + 6
    return {f"{GROUPS.word(group)}/{subject} by {rule}" for group, subject, rule in told.given}


def test_what_no_row_permits_is_withheld_by_default() -> None:
    found = agreement([{"groups": ["identity"], "subject_roles": ["victim"]}])

    assert decide(found) == {"identity/1 by permit_0"}
    told = disclose(found, "support", [], c.LAWFUL_BASIS_CONSENT, True, VICTIM_AND_SUSPECT, TODAY)
    assert (c.FIELD_GROUP_IDENTITY, 2, "default") in told.withheld
    assert (c.FIELD_GROUP_RAISER, 0, "default") in told.withheld
    assert told.gives(c.FIELD_GROUP_IDENTITY, 1)
    assert not told.gives(c.FIELD_GROUP_IDENTITY, 2)


def test_a_row_that_forbids_beats_every_row_that_permits() -> None:
    found = agreement(
        [{"groups": ["contact"], "subject_roles": ["suspect", "victim"]}, {"groups": ["contact"]}],
        [{"groups": ["contact"], "subject_roles": ["suspect"]}],
    )

    assert decide(found) == {"contact/1 by permit_0"}
    told = disclose(found, "support", [], c.LAWFUL_BASIS_CONSENT, True, VICTIM_AND_SUSPECT, TODAY)
    assert (c.FIELD_GROUP_CONTACT, 2, "forbid_0") in told.withheld


def test_a_row_may_need_consent_and_what_it_withholds_says_so() -> None:
    found = agreement([{"groups": ["narrative"], "needs_consent": True}])

    assert decide(found, consent=False) == set()
    told = disclose(found, "support", [], c.LAWFUL_BASIS_SAFEGUARDING, False, [], TODAY)
    assert (c.FIELD_GROUP_NARRATIVE, 0, "no_consent") in told.withheld
    assert (c.FIELD_GROUP_PLACE, 0, "default") in told.withheld
    assert decide(found, consent=True) == {"narrative/0 by permit_0"}


def test_no_consent_stops_what_rests_on_consent_and_nothing_else() -> None:
    found = agreement([{"groups": ["place", "narrative"]}])
    bases = {basis: c.LawfulBasis.Value(f"LAWFUL_BASIS_{basis.upper()}") for basis in BASES}

    told = {word: disclose(found, "support", [], basis, False, [], TODAY) for word, basis in bases.items()}

    assert not told["consent"].given
    assert {rule for _, _, rule in told["consent"].withheld} == {"no_consent"}
    assert all(len(each.given) == 2 for word, each in told.items() if word != "consent")


@pytest.mark.parametrize(
    "row",
    [{"kinds": ["domestic_abuse"]}, {"bases": ["consent"]}, {"purposes": ["protect"]}],
    ids=["another kind", "another basis", "another purpose"],
)
def test_a_row_for_something_else_gives_nothing(row: dict[str, Any]) -> None:
    assert decide(agreement([{"groups": ["place"], **row}])) == set()


def test_a_row_gives_where_all_that_it_states_is_so() -> None:
    row = {"kinds": ["domestic_abuse", "hate_crime"], "bases": ["public_task"], "purposes": ["support"]}

    assert decide(agreement([{"groups": ["place"], **row}])) == {"place/0 by permit_0"}


@pytest.mark.parametrize(("on", "gives"), [("2025-12-31", 0), ("2026-01-01", 1), ("2026-12-31", 1), ("2027-01-01", 0)])
def test_an_agreement_gives_from_its_first_day_to_its_last(on: str, gives: int) -> None:
    found = agreement([{"groups": ["place"]}])

    told = disclose(found, "support", [], c.LAWFUL_BASIS_CONSENT, True, [], date.fromisoformat(on))

    assert len(told.given) == gives
    assert gives or {rule for _, _, rule in told.withheld} == {"expired"}


def test_a_purpose_that_the_agreement_does_not_name_gives_nothing() -> None:
    found = agreement([{"groups": ["place"]}])

    told = disclose(found, "marketing", [], c.LAWFUL_BASIS_CONSENT, True, [], TODAY)

    assert not told.given
    assert {rule for _, _, rule in told.withheld} == {"purpose"}


# --- A second, naive implementation: it tries every row on every cell, and shares no code with the first.

Cell = tuple[str, int]


def naively(found: dict[str, Any], case: dict[str, Any]) -> dict[Cell, bool]:
    """Whether each (group, subject) is given."""
    cells: list[tuple[str, int, str]] = [(group, 0, "") for group in GROUPS if group not in PEOPLE]
    cells += [(group, number, role) for number, role in case["subjects"] for group in PEOPLE]
    answer: dict[Cell, bool] = {}
    for group, number, role in cells:
        verdicts = set()
        for table in ("permit", "forbid"):
            for row in found[table]:
                says = group in row["groups"]
                if "subject_roles" in row and role not in row["subject_roles"]:
                    says = False
                if "kinds" in row and not [kind for kind in case["kinds"] if kind in row["kinds"]]:
                    says = False
                if "bases" in row and case["basis"] not in row["bases"]:
                    says = False
                if "purposes" in row and case["purpose"] not in row["purposes"]:
                    says = False
                if row.get("needs_consent") and not case["consent"]:
                    says = False
                if says:
                    verdicts.add(table)
        given = "permit" in verdicts and "forbid" not in verdicts
        if case["purpose"] not in found["purposes"]:
            given = False
        if not found["signed_on"] <= case["on"] <= found["expires_on"]:
            given = False
        if case["basis"] == "consent" and not case["consent"]:
            given = False
        for part, about, whom, free in case["shields"]:
            if whom not in ("", "p"):
                continue
            if group == "narrative" and not free:
                given = False
            if number and about in (0, number) and part == "person":
                given = False
            if number and about in (0, number) and part == "address" and group == "contact":
                given = False
            if (part, group) in (("address", "place"), ("raiser", "raiser"), ("person", "vehicle")):
                given = False
        answer[group, number] = given
    return answer


def some(chance: random.Random, words: Sequence[str], most: int) -> list[str]:
    """Between one and so many of the words."""
    return chance.sample(list(words), chance.randint(1, min(most, len(words))))


def a_row(chance: random.Random, purposes: Sequence[str], name: str, *, is_permit: bool) -> dict[str, Any]:
    """A row that is valid by itself."""
    row: dict[str, Any] = {"id": name, "words": "w", "groups": some(chance, list(GROUPS), 4)}
    if chance.random() < 0.5 and set(row["groups"]) <= set(PEOPLE):
        row["subject_roles"] = some(chance, list(SUBJECT_ROLES), 4)
    if chance.random() < 0.4:
        row["kinds"] = some(chance, list(KINDS), 5)
    if chance.random() < 0.4:
        row["bases"] = some(chance, list(BASES), 3)
    if chance.random() < 0.4:
        row["purposes"] = some(chance, purposes, 2)
    if is_permit:
        row["needs_consent"] = chance.random() < 0.3
    return row


def an_agreement(chance: random.Random) -> dict[str, Any] | None:
    """An agreement with random rows; None where its rows contradict each other."""
    purposes = some(chance, ["support", "protect", "house"], 3)
    made = {
        "id": "a",
        "version": 1,
        "partner": "p",
        "source": "invented",
        "purposes": purposes,
        "signed_on": date(2026, 1, chance.randint(1, 28)),
        "expires_on": date(2026, 12, chance.randint(1, 28)),
        "permit": [a_row(chance, purposes, f"p{n}", is_permit=True) for n in range(chance.randint(1, 5))],
        "forbid": [a_row(chance, purposes, f"f{n}", is_permit=False) for n in range(chance.randint(0, 3))],
    }
    try:
        Agreement.model_validate(made)
    except ValueError:
        return None
    return made


@dataclass
class OneAgreement:
    """An area of which only one agreement matters; see domain.offers.AreaRules."""

    agreement: Agreement
    consent: bool

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Any:
        """By that agreement."""
        assert known.raised is not None
        subjects = [(number, subject.role) for number, subject in known.subjects.items()]
        kinds, basis = known.raised.kinds, request.basis
        return disclose(self.agreement, request.purpose, kinds, basis, self.consent, subjects, now.date())


def state_of(case: dict[str, Any]) -> State:
    """A referral as the case has it."""
    shields = [
        c.Shield(
            part=c.ShieldedPart.Value(f"SHIELDED_PART_{part.upper()}"),
            subject=about,
            partner_id=whom,
            account_is_free_of_it=free,
        )
        for part, about, whom, free in case["shields"]
    ]
    kinds: Any = [KINDS.number(kind) for kind in case["kinds"]]
    roles: Any = {n: SUBJECT_ROLES.number(role) for n, role in case["subjects"]}
    subjects = {n: SealedSubject(number=n, role=role) for n, role in roles.items()}
    return State(known=Known(raised=Raised(kinds=kinds, shields=shields), subjects=subjects))


CASES = int(os.environ.get("DISCLOSURE_CASES", "20000"))
"""`make agreements-night` asks for a million."""


def test_random_cases_agree_with_a_naive_second_implementation() -> None:
    chance = random.Random(4)
    given_at_all = shielded = 0
    made = [found for found in (an_agreement(chance) for _ in range(700)) if found is not None]
    assert len(made) > 250
    parsed = [Agreement.model_validate(tables) for tables in made]
    for number in range(CASES):
        tables = made[number % len(made)]
        case = {
            "purpose": chance.choice(["support", "protect", "house", *tables["purposes"]]),
            "kinds": some(chance, list(KINDS), 3),
            "basis": chance.choice(list(BASES)),
            "consent": chance.random() < 0.5,
            "subjects": [(n, chance.choice(list(SUBJECT_ROLES))) for n in range(1, chance.randint(1, 4))],
            "shields": [
                (
                    chance.choice(["address", "raiser", "person"]),
                    chance.randint(0, 3),
                    chance.choice(["", "p", "q"]),
                    chance.random() < 0.5,
                )
                for _ in range(max(0, chance.randint(-2, 2)))
            ],
            "on": chance.choice([date(2025, 12, 1), *[date(2026, 12, chance.randint(1, 31))] * 4]),
        }

        rules: Any = OneAgreement(parsed[number % len(made)], bool(case["consent"]))
        basis: Any = BASES.number(case["basis"])
        request = RequestedLeg(purpose=str(case["purpose"]), basis=basis)
        told = disclosed_to(state_of(case), "p", request, rules, datetime.combine(case["on"], time(12), UTC))

        expected = naively(tables, case)
        assert {(GROUPS.word(group), n) for group, n, _ in told.given} == {
            cell for cell, given in expected.items() if given
        }, (tables, case)
        assert {(GROUPS.word(group), n) for group, n, _ in told.withheld} == {
            cell for cell, given in expected.items() if not given
        }
        given_at_all += bool(told.given)
        shielded += any(rule == "shielded" for _, _, rule in told.withheld)
    assert given_at_all > CASES / 10, "the cases hardly ever give anything and so prove nothing"
    assert shielded > CASES / 50


# --- Files


def test_every_partner_of_the_area_has_an_agreement_in_force() -> None:
    found = load_agreements(AREA, TODAY)

    assert {each.partner for each in found.values()} == set(found)
    assert found["turning-tide"].respond_clock == "respond_turning_tide"
    assert found["safe-harbour"].name == "police-and-safe-harbour@1"


def test_an_agreement_that_has_expired_is_refused_when_a_day_is_asked_for() -> None:
    path = AREA / "agreements" / "safe-harbour.toml"

    with pytest.raises(FileRefused, match="it expired on 2036-03-31") as caught:
        load_agreement(path, date(2036, 4, 1))

    assert path.read_text().splitlines()[caught.value.line - 1] == "expires_on = 2036-03-31"
    assert load_agreement(path, date(2036, 3, 31)) == load_agreement(path)


@pytest.mark.parametrize(
    ("before", "after", "line_says", "wrong"),
    [
        ("version = 1", "version = 1\ncolour = 1", "colour = 1", "unknown key 'colour'"),
        ('source = "invented', 'sauce = "invented', "sauce", "unknown key 'sauce'"),
        ("expires_on = 2036-03-31", "expires_on = 2026-03-31", "expires_on", "before it was signed"),
        ("expires_on = 2036-03-31", 'expires_on = "soon"', "expires_on", "'expires_on'"),
        ('partner = "safe-harbour"', 'partner = "safe-harbor"', "safe-harbor", "an agreement with safe-harbor"),
        ('id = "risk"', 'id = "no_consent"', 'id = "no_consent"', "decides where no row does"),
        ('id = "risk"', 'id = "victim"', 'id = "victim"', "the id victim is used twice"),
        (
            '"narrative", "signs", "assessment"]',
            '"narrative", "signs", "assessment"]\npurposes = ["gossip"]',
            "gossip",
            "gossip is no purpose of this agreement",
        ),
        (
            '"narrative", "signs", "assessment"]',
            '"narrative", "signs", "assessment"]\nsubject_roles = ["victim"]',
            '"narrative"',
            "narrative belongs to no subject",
        ),
        (
            'subject_roles = ["child", "suspect"]',
            'subject_roles = ["child", "toddler"]',
            "toddler",
            "'toddler' is no such word",
        ),
        (
            '"contact", "circumstances"]\nsubject_roles = ["victim"]',
            '"contact", "circumstances"]\nsubject_roles = ["suspect"]',
            '"contact", "circumstances"]',
            "victim permits contact, and suspect_contact forbids it every time",
        ),
        (
            'subject_roles = ["child", "suspect"]',
            'subject_roles = ["victim"]',
            "groups",
            "permits identity, and wherever it would, victim does so before it",
        ),
    ],
)
def test_a_wrong_agreement_is_refused_with_its_line(
    tmp_path: Path, before: str, after: str, line_says: str, wrong: str
) -> None:
    path = Path(shutil.copy(AREA / "agreements" / "safe-harbour.toml", tmp_path))
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))

    with pytest.raises(FileRefused) as caught:
        load_agreement(path)

    assert wrong in caught.value.wrong
    assert caught.value.right
    assert line_says in path.read_text().splitlines()[caught.value.line - 1]


NARROW: dict[str, Any] = {"groups": ["identity"], "subject_roles": ["victim"]}


@pytest.mark.parametrize(
    ("permit", "forbid"),
    [
        ([{"groups": ["identity"]}, NARROW], []),
        ([{"groups": ["identity"]}, {**NARROW, "needs_consent": True}], []),
        ([{"groups": ["contact"]}], [{"groups": ["identity", "place"]}, NARROW]),
    ],
    ids=["given anyway", "given anyway, so that consent is not needed", "forbidden anyway"],
)
def test_a_row_that_another_leaves_nothing_to_decide_is_refused(permit: Any, forbid: Any) -> None:
    with pytest.raises(ValueError, match="does so before it"):
        agreement(permit, forbid)


def test_a_narrower_row_may_stand_first_or_give_without_consent_what_a_wider_one_gives_with_it() -> None:
    agreement([NARROW, {"groups": ["identity"]}])
    agreement([{"groups": ["identity"], "needs_consent": True}, NARROW])


def test_a_missing_source_is_refused(tmp_path: Path) -> None:
    path = Path(shutil.copy(AREA / "agreements" / "farm-watch.toml", tmp_path))
    lines = [line for line in path.read_text().splitlines() if not line.startswith("source")]
    path.write_text("\n".join(lines))

    with pytest.raises(FileRefused, match="the key 'source' is missing"):
        load_agreement(path)


def test_a_clock_that_the_area_does_not_state_is_refused(tmp_path: Path) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    path = area / "agreements" / "turning-tide.toml"
    path.write_text(path.read_text().replace("respond_turning_tide", "respond_some_time"))

    with pytest.raises(FileRefused, match="no clock respond_some_time"):
        load_agreements(area)
