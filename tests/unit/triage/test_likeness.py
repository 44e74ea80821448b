"""Two spellings of one person are alike; twins, siblings and namesakes are not."""

import pytest

from safeguarding.v1.concern_pb2 import Identity
from services.triage.evidence import LEAST_SCORE
from services.triage.likeness import ANOTHER_FAMILY_NAME, NO_BIRTH_DATE, SAME_BIRTH_DATE, SLIPPED_BIRTH_DATE, likeness


def named(given: str, family: str, born: str = "2015-02-03") -> Identity:
    return Identity(given_names=given, family_name=family, date_of_birth=born)


ANN = named("Catherine", "Exampleton")


@pytest.mark.parametrize(
    "other",
    [
        named("Catherine", "Exampelton"),
        named("Katherine", "Exampleton"),
        named("Exampleton", "Catherine"),
        named("CATHERINE Jane", "Exampleton-Smith"),
    ],
    ids=["letters swapped", "another spelling", "in each other's field", "a double name"],
)
def test_spellings_of_one_name_with_the_same_birth_date_are_likely_one_person(other: Identity) -> None:
    assert 0.6 <= likeness(ANN, other) <= SAME_BIRTH_DATE


@pytest.mark.parametrize(
    "other",
    [
        named("Margaret", "Exampleton"),
        named("Catherine", "Jones", ""),
        named("Catherine", "Exampleton", "2011-07-19"),
        named("", "Exampleton"),
    ],
    ids=["a twin", "a namesake", "another birth date", "without a given name"],
)
def test_who_shares_a_part_only_is_somebody_else(other: Identity) -> None:
    assert likeness(ANN, other) == 0.0


def test_another_family_name_is_too_little_by_itself() -> None:
    assert 100 * likeness(ANN, named("Catherine", "Jones")) == 100 * ANOTHER_FAMILY_NAME < LEAST_SCORE


@pytest.mark.parametrize(
    ("born", "sure"),
    [
        ("2015-03-02", SLIPPED_BIRTH_DATE),
        ("2015-02-08", SLIPPED_BIRTH_DATE),
        ("", NO_BIRTH_DATE),
    ],
    ids=["day and month swapped", "a digit wrong", "not known"],
)
def test_a_doubtful_birth_date_makes_it_less_sure(born: str, sure: float) -> None:
    assert likeness(ANN, named("Catherine", "Exampleton", born)) == sure
