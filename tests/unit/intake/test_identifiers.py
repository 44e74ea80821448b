"""Identifiers have one form, however they were written; what tells nobody apart has none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safeguarding.v1.common_pb2 import MatchKind
from safeguarding.v1.concern_pb2 import Contact, Identifiers, Identity, Place, Subject
from services.intake.identifiers import any_telephone, house, of_place, of_subject, postcode, telephone
from services.names import sound, words


def person(given: str = "Ann", family: str = "Example", born: str = "2015-02-03") -> Subject:
    """Somebody of whom only names and birth date are known."""
    return Subject(identity=Identity(given_names=given, family_name=family, date_of_birth=born))


def texts(subject: Subject, kind: int) -> list[str]:
    """The identifiers of one kind."""
    return [text for found, text in of_subject(subject) if found == kind]


@pytest.mark.parametrize("written", ["0117 496 0123", "+44 117 496 0123", "(0117) 4960123", "0044 117 496 0123"])
def test_a_telephone_number_has_one_form(written: str) -> None:
    assert telephone(written) == "+441174960123"


@pytest.mark.parametrize("written", ["", "none", "0117", "12"])
def test_what_cannot_be_a_telephone_number_is_none(written: str) -> None:
    assert telephone(written) == ""


@pytest.mark.parametrize(
    ("written", "form"),
    [("bs1 1aa", "BS11AA"), (" BS11AA ", "BS11AA"), ("SW1A 1AA", "SW1A1AA"), ("BS1", ""), ("none", "")],
)
def test_a_postcode_has_one_form(written: str, form: str) -> None:
    assert postcode(written) == form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("14 Test Row, Bristol", "14, test row"),
        ("Flat 2, 14 Test Row", "14 Test Row (Flat 2)"),
        ("14a Test Row BS1 1AA", "14A Test Row"),
        ("Rose Cottage, Mill Lane", "rose cottage"),
    ],
)
def test_a_home_is_known_by_its_numbers_or_else_its_name(one: str, other: str) -> None:
    assert house(one) == house(other) != ""


def test_neighbours_are_told_apart() -> None:
    assert len({house("14 Test Row"), house("15 Test Row"), house("14a Test Row"), house("Flat 1, 14 Test Row")}) == 4


def test_names_in_the_other_field_and_other_letters_give_the_same_identifier() -> None:
    kind = MatchKind.MATCH_KIND_NAME_AND_BIRTH_DATE
    [form] = texts(person("Zoë", "O'Brien-Núñez"), kind)

    assert texts(person("zoe", "OBrien Nunez"), kind) == [form]
    assert texts(person("O'Brien-Nunez", "Zoe"), kind) != [form]  # a double name is one name where it stands
    assert texts(person("Example", "Ann"), kind) == texts(person("Ann Marie", "Example"), kind)


@pytest.mark.parametrize(
    ("given", "family", "born"),
    [
        ("Ann", "Example", ""),
        ("Unknown", "Example", "2015-02-03"),
        ("Ann", "", "2015-02-03"),
        ("Ann", "Example", "2015-02-30"),
    ],
)
def test_without_both_names_and_a_day_of_the_calendar_there_is_no_name_and_birth_date(
    given: str, family: str, born: str
) -> None:
    assert texts(person(given, family, born), MatchKind.MATCH_KIND_NAME_AND_BIRTH_DATE) == []


def test_a_number_with_a_wrong_check_digit_is_left_out() -> None:
    right = Subject(identifiers=Identifiers(nhs_number="9434765919"))
    wrong = Subject(identifiers=Identifiers(nhs_number="9434765918"))

    assert texts(right, MatchKind.MATCH_KIND_NUMBER) == ["nhs 9434765919"]
    assert of_subject(wrong) == []


def test_an_address_needs_both_postcode_and_house() -> None:
    kind = MatchKind.MATCH_KIND_ADDRESS

    assert texts(Subject(contact=Contact(address="1 Test Row", postcode="BS1 1AA")), kind) == ["BS11AA 1"]
    assert texts(Subject(contact=Contact(address="1 Test Row")), kind) == []
    assert texts(Subject(contact=Contact(postcode="BS1 1AA")), kind) == []
    assert texts(Subject(contact=Contact(uprn="000100023336956")), kind) == ["uprn 100023336956"]


def test_a_place_is_known_by_its_address_or_reference_and_never_by_a_postcode_alone() -> None:
    home = texts(Subject(contact=Contact(address="14 Test Row", postcode="BS1 1AA")), MatchKind.MATCH_KIND_ADDRESS)

    assert of_place(Place(description="outside 14 Test Row", postcode="BS1 1AA")) == [
        (MatchKind.MATCH_KIND_ADDRESS, home[0])
    ]

    assert of_place(Place(description="14", postcode="BS1 1AA"))[0][1] == home[0]
    assert of_place(Place(description="by flat 2, 14 Test Row", postcode="BS1 1AA"))[0][1] == "BS11AA 14 2"
    assert of_place(Place(description="3 men behind the shops", postcode="BS1 1AA")) == []
    assert of_place(Place(grid_reference="st 58 72")) == [(MatchKind.MATCH_KIND_GRID_REFERENCE, "ST5872")]
    three_words = [(MatchKind.MATCH_KIND_GRID_REFERENCE, "words filled.count.soap")]
    assert of_place(Place(three_words="///Filled.count.soap")) == three_words
    assert of_place(Place(three_words="filled.count.soap")) == three_words


@pytest.mark.parametrize(
    ("one", "other"), [("CATHERINE", "KATHRYN"), ("SMITH", "SMYTH"), ("PHILIP", "FILIP"), ("SEAN", "SHAUN")]
)
def test_names_that_sound_alike_have_one_sound(one: str, other: str) -> None:
    assert sound(one) == sound(other)


def test_words_that_are_no_names_are_none() -> None:
    assert words("Mr unknown") == []
    assert words("Ms. Anne-Marie") == ["ANNE", "MARIE"]


@given(
    st.one_of(
        st.from_regex(r"\A {0,2}0[0-9][0-9 ]{7,12}\Z"),
        st.from_regex(r"\A0[1-9][0-9]{9}\Z"),
        st.text(" 0123456789", max_size=14),
    )
)
def test_a_number_as_it_is_mostly_written_has_the_form_that_the_library_gives_it(written: str) -> None:
    assert telephone(written) == any_telephone(written)
