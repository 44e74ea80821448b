"""A log that is not byte for byte what it was is seen, and so is an index; that a log has grown is no fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.same_log import IndexHeld, LogFiles, digest, index_differences, listed, log_differences
from tests.unit.audit.log.support import Records, a_writer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    with a_writer(tmp_path / "log") as writer:
        writer.append(Records().batch(600))
    return tmp_path / "log"


def test_a_log_that_was_left_alone_is_the_same(folder: Path) -> None:
    assert log_differences(LogFiles.of(folder), LogFiles.of(folder)) == []


@pytest.mark.parametrize("name", ["tile/0/000", "tile/entries/001", "tile/entries/002.p/88"])
def test_one_other_byte_of_any_file_is_seen(folder: Path, name: str) -> None:
    before = LogFiles.of(folder)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)

    assert f"the log's {name} is not as it was" in log_differences(before, LogFiles.of(folder))


def test_a_log_that_has_grown_begins_with_all_that_it_had(tmp_path: Path) -> None:
    records = Records()
    with a_writer(tmp_path) as writer:
        writer.append(records.batch(600))
    before = LogFiles.of(tmp_path)
    with a_writer(tmp_path) as writer:
        writer.append(records.batch(700))
    after = LogFiles.of(tmp_path)

    assert (before.tree.size, after.tree.size) == (600, 1_300)
    assert log_differences(before, after) == []
    assert any("the log had" in line for line in log_differences(after, before)), "nor may it shrink"


@pytest.mark.parametrize("count", [300, 900])
def test_a_log_of_other_entries_is_seen_however_long(tmp_path: Path, count: int) -> None:
    found = []
    for kind, size in (("record", 300), ("other", count)):
        (tmp_path / kind).mkdir()
        with a_writer(tmp_path / kind) as writer:
            writer.append(Records(kind).batch(size))
        found.append(LogFiles.of(tmp_path / kind))

    assert "the log's first 300 entries have another root" in log_differences(*found)


def test_documents_are_compared_whatever_their_order() -> None:
    one, two = {"_id": 1, "entry": b"a"}, {"entry": b"b", "_id": 2}

    assert digest([one, two]) == digest([{"_id": 2, "entry": b"b"}, one])
    assert digest([one, two]) != digest([one, {**two, "entry": b"c"}])
    assert digest([one, two]) != digest([one])
    assert digest([one, one]) != digest([one])


def test_a_referral_is_compared_by_its_entries_of_before_the_rebuild() -> None:
    before, after = {"_id": "r", "entries": [3, 1]}, {"_id": "r", "entries": [1, 3, 9]}
    new = {"_id": "later", "entries": [9]}

    assert digest([listed(before, 5)]) == digest([listed(after, 5), listed(new, 5)])
    assert digest([listed(before, 10)]) != digest([listed(after, 10)])


def test_an_index_that_lost_one_entry_a_referral_or_an_event_is_seen() -> None:
    whole = IndexHeld(2_001, [b"a", b"b", b"c"], b"r", b"e")

    assert index_differences(whole, whole) == []
    assert index_differences(whole, IndexHeld(2_001, [b"a", b"x"], b"r", b"e")) == [
        "audit's entries 1000 to 1999 are not as they were",
        "audit's entries 2000 to 2999 are not as they were",
    ]
    assert len(index_differences(whole, IndexHeld(2_001, [b"a", b"b", b"c"], b"x", b"x"))) == 2
    assert index_differences(IndexHeld(0, [], b"", b""), whole) == ["audit's index held nothing"]
