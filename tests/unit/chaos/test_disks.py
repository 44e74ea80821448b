"""Whether a disk is full is seen by what it does with one byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.cli.local import home as files
from tests.chaos.disks import PROBE, Disks


@pytest.fixture
def disks(tmp_path: Path) -> Disks:
    found = Disks(files.find(tmp_path))
    found.folder("mongo").mkdir(parents=True)
    return found


def test_a_disk_with_room_takes_a_byte_and_keeps_nothing_of_it(disks: Disks) -> None:
    assert not disks.refuses("mongo")
    assert list(disks.folder("mongo").iterdir()) == []


def test_a_full_disk_refuses_it(disks: Disks) -> None:
    (disks.folder("mongo") / PROBE).symlink_to("/dev/full")

    assert disks.refuses("mongo")
