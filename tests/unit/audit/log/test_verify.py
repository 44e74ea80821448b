"""Verification: right logs pass, and every tampering is found, with its place."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.comparing import Bounds
from services.audit.log.diverged import Diverged
from services.audit.log.hashing import consistent
from services.audit.log.leaf import Gap, Place, batch_of
from services.audit.log.proof import ReceiptRefused, consistency, receipt, verify_receipt
from services.audit.log.reader import LogReader
from services.audit.log.verify import verify
from tests.unit.audit.log import tampering
from tests.unit.audit.log.support import TOPIC_ID, VERIFIER, Records, a_log, a_writer, copied
from tests.unit.audit.log.tampering import Tampering


class FakeTopics:
    """Topics that hold the records that were made."""

    def __init__(self, made: Mapping[Place, list[bytes]], first: int = 0) -> None:
        self._made = made
        self._first = first

    def bounds(self) -> Mapping[Place, Bounds]:
        return {place: Bounds("referrals.intake.v1", self._first, len(made)) for place, made in self._made.items()}

    def leaves(self, place: Place, start: int, until: int) -> Iterable[tuple[int, bytes]]:
        yield from list(enumerate(self._made[place]))[max(start, self._first) : until]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,200 entries in unequal batches, so that earlier partial files lie there too."""
    folder = tmp_path_factory.mktemp("made") / "log"
    a_log(folder, [3_000, 1, 255, 1_900, 20, 24])
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with fewer files, since each test copies it."""
    folder = tmp_path_factory.mktemp("made") / "log"
    a_log(folder, [600, 1, 255, 300, 20, 24])
    return folder


@pytest.mark.parametrize("number", range(tampering.HOW_MANY))
def test_a_random_tampering_is_found(small: Path, tmp_path: Path, number: int) -> None:
    chosen = random.Random(number)
    tampered = copied(small, tmp_path / "log")
    what = tampering.FILES[number % len(tampering.FILES)](tampered, chosen)

    with pytest.raises(Diverged) as found:
        verify(tampered, VERIFIER)
    assert found.value.place, what


@pytest.mark.parametrize("number", range(20))
def test_a_change_of_the_positions_is_found(small: Path, tmp_path: Path, number: int) -> None:
    tampered = copied(small, tmp_path / "log")
    data = bytearray((tampered / "positions").read_bytes())
    bit = random.Random(number).randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    (tampered / "positions").write_bytes(data)

    with pytest.raises(Diverged, match="positions"):
        verify(tampered, VERIFIER)


def test_a_checkpoint_of_before_is_found_beside_later_files(tmp_path: Path) -> None:
    records = Records()
    folder = tmp_path / "log"
    a_log(folder, [600], records)
    before = (folder / "checkpoint").read_bytes()
    a_log(folder, [600], records)
    (folder / "checkpoint").write_bytes(before)

    with pytest.raises(Diverged, match="not accounted for"):
        verify(folder, VERIFIER)


def test_a_log_that_went_back_or_was_forked_whole_is_found_by_who_saw_it(tmp_path: Path) -> None:
    records = Records()
    seen = a_log(tmp_path / "log", [600], records)
    back = copied(tmp_path / "log", tmp_path / "back")
    later = a_log(tmp_path / "log", [600], records)
    other = tampering.another_log(tmp_path / "other", 1_300)

    assert verify(tmp_path / "log", VERIFIER, seen=[seen, later]).tree == later
    with pytest.raises(Diverged, match="went back"):
        verify(back, VERIFIER, seen=[later])
    with pytest.raises(Diverged, match="forked"):
        verify(other, VERIFIER, seen=[later])


def test_the_place_of_a_changed_entry_is_named(log: Path, tmp_path: Path) -> None:
    tampered = copied(log, tmp_path / "log")
    bundle = tampered / "tile/entries/007"
    bundle.write_bytes(bundle.read_bytes().replace(b"officer/x4021", b"officer/x4022", 1))

    with pytest.raises(Diverged) as found:
        verify(tampered, VERIFIER)
    assert (found.value.place, found.value.what) == ("tile/0/007", "hash 0 is not that of entry 1792")


def test_progress_is_told_and_a_stopped_run_is_gone_on_with(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(done: int, of: int) -> None:
        told.append((done, of))
        if len(told) == 2:
            raise Stopped

    told: list[tuple[int, int]] = []
    tree = a_log(tmp_path / "log", [40_000])
    state = tmp_path / "state"
    with pytest.raises(Stopped):
        verify(tmp_path / "log", VERIFIER, progress=stop, state=state)

    assert told == [(16_384, 40_000), (32_768, 40_000)]
    verified = verify(tmp_path / "log", VERIFIER, state=state)
    assert (verified.tree, verified.resumed_at) == (tree, 16_384)


def test_a_log_at_work_verifies(tmp_path: Path) -> None:
    records = Records()
    with a_writer(tmp_path) as writer:
        writer.append(records.batch(300))
        assert verify(tmp_path, VERIFIER).tree == writer.tree


def test_every_leaf_has_its_record_and_every_record_its_leaf(tmp_path: Path) -> None:
    records = Records()
    a_log(tmp_path, [700, 700], records)

    verified = verify(tmp_path, VERIFIER, topics=FakeTopics(records.made))
    assert (verified.records, verified.expired) == (1_400, 0)
    expired = verify(tmp_path, VERIFIER, topics=FakeTopics(records.made, first=100))
    assert (expired.records, expired.expired) == (1_100, 300)


@pytest.mark.parametrize("wrong", ["record changed", "record not logged", "log ahead", "record gone", "topic gone"])
def test_a_record_without_its_leaf_and_a_leaf_without_its_record_are_found(tmp_path: Path, wrong: str) -> None:
    records = Records()
    a_log(tmp_path, [700], records)
    made = {place: list(leaves) for place, leaves in records.made.items()}
    place = (TOPIC_ID, 1)
    if wrong == "record changed":
        made[place][50] = made[place][51]
    elif wrong == "record not logged":
        made[place].append(made[place][0])
    elif wrong == "log ahead":
        made[place].pop()
    elif wrong == "record gone":
        made[place][50:51] = []
    else:
        del made[place]

    with pytest.raises(Diverged, match=r"partition 1|/1 offset"):
        verify(tmp_path, VERIFIER, topics=FakeTopics(made))


def test_a_gap_that_the_topic_does_not_have_is_found(tmp_path: Path) -> None:
    records = Records()
    batch = records.batch(3)
    with a_writer(tmp_path) as writer:
        writer.append(batch_of([Gap("referrals.intake.v1", TOPIC_ID, 0, 0, 1, 5, "not-on-topic")]))

    with pytest.raises(Diverged, match="the log says that"):
        verify(tmp_path, VERIFIER, topics=FakeTopics(records.made))
    assert batch.leaves


@pytest.mark.parametrize("index", [0, 255, 256, 2_999, 5_199])
def test_a_receipt_verifies_with_the_key_alone(log: Path, index: int) -> None:
    reader = LogReader(log, 5_200)
    made = receipt(reader, index, (log / "checkpoint").read_bytes())

    found = verify_receipt(made, VERIFIER)

    assert (found.index, found.leaf, found.checkpoint.tree.size) == (index, reader.entry(index), 5_200)


@pytest.mark.parametrize("number", range(100))
def test_no_bit_of_a_receipt_can_be_changed(log: Path, number: int) -> None:
    made = bytearray(receipt(LogReader(log, 5_200), 4_321, (log / "checkpoint").read_bytes()))
    bit = random.Random(number).randrange(8 * len(made))
    made[bit // 8] ^= 1 << bit % 8

    with pytest.raises(ReceiptRefused):
        verify_receipt(bytes(made), VERIFIER)


@pytest.mark.parametrize("first", [0, 1, 255, 256, 3_000, 5_176, 5_200])
def test_any_two_sizes_are_proved_consistent(log: Path, first: int) -> None:
    reader = LogReader(log, 5_200)
    checkpoint, _ = open_checkpoint((log / "checkpoint").read_bytes(), VERIFIER)

    assert consistent(first, 5_200, consistency(reader, first), reader.root(first), checkpoint.tree.root)


def test_tamperings_are_what_they_say() -> None:
    kinds: set[Tampering] = set(tampering.FILES)
    assert len(kinds) == 8
