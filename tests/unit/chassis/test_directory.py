"""The directory is what its files say at this moment."""

import os
from datetime import date
from pathlib import Path

import pytest

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.common_pb2 import Actor
from services.chassis.checking import violations
from services.chassis.deciding import Refused, Why
from services.chassis.directory import LONGEST_KIND, BrokenEntry, Directory
from services.chassis.identity import Identity, Name

OFFICER = Name(ROLE_OFFICER, "officer-1")
KEY = "0f" * 32
PARTNER = f"""
name = "Riverside Housing"
kind = "housing"
serves = ["housing"]
areas = ["riverside"]
public_key = "{KEY}"
kafka = true
"""


def write(root: Path, role: str, person: str, text: str) -> Path:
    file = root / role / f"{person}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_an_entry_says_kind_and_team(tmp_path: Path) -> None:
    write(tmp_path, "officer", "officer-1", 'name = "A"\nkind = "special_constable"\nteam = "north"\n')

    found = Directory(tmp_path).find(OFFICER)

    assert found == Identity(ROLE_OFFICER, "officer-1", "special_constable", "north")


def test_the_longest_kind_is_the_longest_that_facts_carry() -> None:
    def carried(length: int) -> bool:
        return not violations(Actor(role=ROLE_OFFICER, id="officer-1", kind="k" * length))

    assert carried(LONGEST_KIND)
    assert not carried(LONGEST_KIND + 1)


def test_the_longest_kind_is_taken_of_people_and_partners(tmp_path: Path) -> None:
    longest = "k" * LONGEST_KIND
    write(tmp_path, "officer", "officer-1", f'kind = "{longest}"')
    write(tmp_path, "partner", "riverside", PARTNER.replace('"housing"\n', f'"{longest}"\n'))

    assert Directory(tmp_path).find(OFFICER).kind == longest
    assert Directory(tmp_path).partners()[0].kind == longest


def test_absent_and_removed_are_refused_at_once(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    with pytest.raises(Refused) as never:
        directory.find(OFFICER)
    file = write(tmp_path, "officer", "officer-1", 'name = "A"\n')
    directory.find(OFFICER)
    file.unlink()
    with pytest.raises(Refused) as removed:
        directory.find(OFFICER)

    assert never.value.why is removed.value.why is Why.FORBIDDEN


def test_a_changed_entry_counts_at_once_even_within_one_tick_of_the_clock(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    file = write(tmp_path, "officer", "officer-1", 'kind = "first"\n')
    then = file.stat().st_mtime_ns
    assert directory.find(OFFICER).kind == "first"
    renamed = write(tmp_path, "officer", "new", 'kind = "other"\n')
    os.utime(renamed, ns=(then, then))
    renamed.rename(file)

    assert directory.find(OFFICER).kind == "other"


def test_an_unchanged_entry_is_not_read_again(tmp_path: Path) -> None:
    write(tmp_path, "officer", "officer-1", 'kind = "first"\n')
    directory = Directory(tmp_path)

    assert directory.find(OFFICER) is directory.find(OFFICER)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind = ", "officer/officer-1.toml: not TOML"),
        ("kind = 3", "officer/officer-1.toml: kind must be a text"),
        (f'kind = "{"k" * 61}"', "officer/officer-1.toml: kind is longer than 60 characters"),
    ],
)
def test_a_broken_entry_is_named(tmp_path: Path, text: str, says: str) -> None:
    write(tmp_path, "officer", "officer-1", text)
    with pytest.raises(BrokenEntry, match=says):
        Directory(tmp_path).find(OFFICER)


def test_partners_are_listed_by_id_and_follow_the_files(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    assert directory.partners() == ()
    write(tmp_path, "partner", "riverside", PARTNER)
    file = write(tmp_path, "partner", "council", PARTNER + "lead = true\n")

    assert [(found.id, found.lead) for found in directory.partners()] == [("council", True), ("riverside", False)]
    found = directory.partner("riverside")
    assert found is not None
    assert (found.serves, found.areas, found.kafka) == (("housing",), ("riverside",), True)
    assert found.public_key == bytes.fromhex(KEY)

    file.unlink()
    assert [found.id for found in directory.partners()] == ["riverside"]
    assert directory.partner("council") is None


def test_a_partners_changed_entry_counts_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, "partner", "riverside", PARTNER)
    directory = Directory(tmp_path)
    directory.partners()
    file.write_text(PARTNER.replace('"Riverside Housing"', '"Riverside Homes"'))

    assert directory.partners()[0].name == "Riverside Homes"


def test_a_partner_may_pause_and_say_what_it_can_take_on(tmp_path: Path) -> None:
    write(tmp_path, "partner", "riverside", PARTNER + 'paused_until = 2026-12-01\ncapacity = "limited"\n')

    [found] = Directory(tmp_path).partners()

    assert (found.paused_until, found.capacity) == (date(2026, 12, 1), "limited")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (PARTNER.replace(KEY, "0f"), 6, "'public_key'"),
        (PARTNER.replace(KEY, "zz" * 32), 6, "'public_key'"),
        (PARTNER.replace('["housing"]', '"housing"'), 4, "'serves'"),
        (PARTNER.replace('["housing"]', '["gardening"]'), 4, "'gardening' is no such word"),
        (PARTNER.replace("true", '"yes"'), 7, "'kafka'"),
        (PARTNER + 'paused_until = "tomorrow"\n', 8, "'paused_until'"),
        (PARTNER + 'capacity = "some"\n', 8, "'capacity'"),
        (PARTNER + "colour = 1\n", 8, "unknown key 'colour'"),
        (PARTNER.replace('name = "Riverside Housing"', ""), 1, "the key 'name' is missing"),
        (PARTNER + "kafka\n", 8, "this is not TOML"),
        (PARTNER.replace('"housing"\n', f'"{"k" * 61}"\n'), 3, "'kind' is longer than 60 characters"),
        (PARTNER.replace('["housing"]', '["housing", "housing"]'), 4, "housing is stated twice"),
    ],
)
def test_a_partners_broken_entry_is_named_with_its_line_and_what_would_be_right(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    write(tmp_path, "partner", "riverside", text)
    with pytest.raises(BrokenEntry, match=f"partner/riverside.toml:{line}: .*{says}.*right would be: .+"):
        Directory(tmp_path).partners()
