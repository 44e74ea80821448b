"""Whether a disk is full is seen by what it does with one byte; and none is full of the run itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

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


def test_a_disk_has_room_for_all_that_a_run_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def mounts(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", mounts)
    assert Disks(files.find(tmp_path), 20_000).mount()

    options = [words[words.index("-o") + 1] for words in asked]
    sizes = [int(each.partition(",")[0].removeprefix("size=").removesuffix("m")) for each in options]
    assert len(sizes) == 3
    assert min(sizes) > 20_000 * 140 // 1024, "its store alone wrote 1,024 MiB for 7,500 referrals"
