"""Whose record a referral is, told by keyed hashes alone; an area's file of them is checked when intake starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.concern_pb2 import Contact, Identifiers, Identity, Subject
from services.chassis.areafile import FileRefused
from services.chassis.identity import Name
from services.intake.area import WELL_KNOWN, load_area
from services.intake.linking import Linker
from services.intake.watched import Watch
from tests.fakes.linking import LINKING_KEY
from tests.unit.chassis.test_areas import AREA

OFFICER = Name(ROLE_OFFICER, "officer-1")
PERSON = Subject(
    identity=Identity(given_names="Ann", family_name="Example", date_of_birth="1980-02-03"),
    identifiers=Identifiers(nhs_number="9434765919"),
    contact=Contact(telephone="0117 496 0001", address="1 Test Row", postcode="BS16 4QZ"),
)
ALSO_ANN = Subject(identity=Identity(given_names="ANN", family_name="example", date_of_birth="1980-02-03"))
SHARES_A_HOME = Subject(identity=Identity(given_names="Bob", family_name="Example"), contact=PERSON.contact)


def keys(subject: Subject = PERSON, linking_key: bytes = LINKING_KEY) -> list[str]:
    return Watch(linking_key, dict, frozenset).keys_of(subject)


def watch(*, staff: bool = False, well_known: bool = False) -> Watch:
    made = [bytes.fromhex(key) for key in keys()]
    return Watch(
        LINKING_KEY,
        lambda: dict.fromkeys(made if staff else [], frozenset({OFFICER})),
        lambda: frozenset(made if well_known else []),
    )


def whose(made: Watch, subject: Subject) -> tuple[frozenset[Name], bool]:
    found = made.whose(Linker(LINKING_KEY).of_subject(subject).keys)
    return found.staff, found.well_known


def test_a_member_of_staff_and_a_well_known_person_are_found_however_they_were_written() -> None:
    assert whose(watch(staff=True), ALSO_ANN) == (frozenset({OFFICER}), False)
    assert whose(watch(well_known=True), ALSO_ANN) == (frozenset(), True)
    assert whose(watch(staff=True, well_known=True), PERSON) == (frozenset({OFFICER}), True)


def test_whoever_only_lives_with_them_is_not_them() -> None:
    assert whose(watch(staff=True, well_known=True), SHARES_A_HOME) == (frozenset(), False)


def test_a_key_of_the_watch_is_no_match_key_and_needs_intakes_key_to_be_made() -> None:
    match_keys = {key.hash.hex() for key in Linker(LINKING_KEY).of_subject(PERSON).keys}

    assert len(keys()) == 2
    assert not set(keys()) & match_keys
    assert not set(keys()) & set(keys(linking_key=b"k" * 32))


def test_a_watch_over_nobody_says_so() -> None:
    assert not watch().watches()
    assert watch(well_known=True).watches()


def test_an_area_states_well_known_persons_or_none(tmp_path: Path) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    assert load_area(area).well_known == frozenset()

    (area / WELL_KNOWN).write_text(f'[[person]]\nkeys = ["{keys()[0]}"]\nsource = "a list"\n')

    assert load_area(area).well_known == {bytes.fromhex(keys()[0])}
    assert "bristol" in load_area(area).codes


@pytest.mark.parametrize(
    ("text", "line", "wrong"),
    [
        ('[[person]]\nkeys = ["Ann Example"]\nsource = "a list"\n', 2, "keys"),
        ('[[person]]\nkeys = []\nsource = "a list"\n', 2, "keys"),
        (f'[[person]]\nkeys = ["{"0f" * 16}"]\n', 1, "the key 'source' is missing"),
        (f'[[person]]\nname = "Ann"\nkeys = ["{"0f" * 16}"]\nsource = "a list"\n', 2, "unknown key 'name'"),
        (f'[[person]]\nsource = "a list"\nkeys = ["{"0f" * 16}", "{"0f" * 16}"]\n', 3, "this key is stated twice"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line(tmp_path: Path, text: str, line: int, wrong: str) -> None:
    area = Path(shutil.copytree(AREA, tmp_path / "area"))
    (area / WELL_KNOWN).write_text(text)

    with pytest.raises(FileRefused) as caught:
        load_area(area)

    assert wrong in caught.value.wrong
    assert caught.value.line == line
    assert caught.value.right
