"""Whose keys the directory states, as its files say within seconds."""

from __future__ import annotations

from pathlib import Path

from safeguarding.v1.access_control_pb2 import ROLE_OFFICER, ROLE_TRIAGE
from services.chassis.identity import Name
from services.chassis.staff import LOOK_EVERY, Staff
from tests.unit.chassis.test_directory import write

KEY, OTHER = "0f" * 16, "1e" * 16


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_one_person_may_have_several_names(tmp_path: Path) -> None:
    write(tmp_path, "officer", "officer-1", f'name = "A"\nkind = "x"\nperson_keys = ["{KEY}", "{OTHER}"]\n')
    write(tmp_path, "triage", "desk-1", f'name = "A"\nkind = "x"\nperson_keys = ["{KEY}"]\n')
    write(tmp_path, "triage", "desk-2", 'name = "B"\nkind = "x"\n')

    found = Staff(tmp_path).by_key()

    assert found[bytes.fromhex(KEY)] == {Name(ROLE_OFFICER, "officer-1"), Name(ROLE_TRIAGE, "desk-1")}
    assert found[bytes.fromhex(OTHER)] == {Name(ROLE_OFFICER, "officer-1")}


def test_whoever_is_no_member_of_staff_is_nobodys_colleague(tmp_path: Path) -> None:
    for role in ("public", "partner", "system", "service"):
        write(tmp_path, role, "someone", f'name = "A"\nkind = "x"\nperson_keys = ["{KEY}"]\n')

    assert Staff(tmp_path).by_key() == {}


def test_a_change_counts_within_seconds(tmp_path: Path) -> None:
    clock = Clock()
    staff = Staff(tmp_path, clock)
    assert staff.by_key() == {}
    file = write(tmp_path, "officer", "officer-1", f'name = "A"\nkind = "x"\nperson_keys = ["{KEY}"]\n')
    assert staff.by_key() == {}

    clock.now += LOOK_EVERY
    assert set(staff.by_key()) == {bytes.fromhex(KEY)}
    file.unlink()
    clock.now += LOOK_EVERY
    assert staff.by_key() == {}


def test_a_wrong_entry_stops_nobody_elses(tmp_path: Path) -> None:
    write(tmp_path, "officer", "officer-1", 'name = "A"\nperson_keys = ["Ann Example"]\n')
    write(tmp_path, "officer", "officer-2", "this is not TOML")
    write(tmp_path, "officer", "officer-3", f'name = "C"\nperson_keys = ["{KEY}"]\n')

    assert Staff(tmp_path).by_key() == {bytes.fromhex(KEY): {Name(ROLE_OFFICER, "officer-3")}}
