"""Witnesses: the checkpoint that is served carries a quorum's cosignatures, and a fork or a log that went back none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.audit.log.checkpoint import open_checkpoint
from services.audit.log.diverged import Diverged
from services.audit.log.leaf import Batch
from services.audit.log.note import Verifier
from services.audit.log.proof import ReceiptRefused, receipt, verify_receipt
from services.audit.log.verify import verify
from services.audit.log.witnessing import QuorumMissing, Remote, Witnesses
from services.audit.log.writer import Writer
from services.audit.witnesses import load
from services.chassis.areafile import FileRefused
from tests.fakes.witness import Witness
from tests.unit.audit.log.support import SIGNER, VERIFIER, Records, a_log, copied, unsynced

THREE = ("one.test.invalid/w", "two.test.invalid/w", "three.test.invalid/w")


@pytest.fixture
def three() -> Iterator[list[Witness]]:
    with ExitStack() as opened:
        yield [opened.enter_context(Witness(name, VERIFIER)) for name in THREE]


def keys(witnesses: list[Witness]) -> list[Verifier]:
    return [witness.remote.key for witness in witnesses]


def witnessed(folder: Path, witnesses: list[Witness], quorum: int) -> Writer:
    asked = Witnesses(folder, [witness.remote for witness in witnesses], quorum, seconds=5)
    return Writer(folder, SIGNER, witness=asked, disk=unsynced(folder))


def cosigned(folder: Path, witnesses: list[Witness]) -> int:
    """By how many of them the checkpoint that is served is cosigned."""
    _, opened = open_checkpoint((folder / "checkpoint").read_bytes(), VERIFIER, keys(witnesses))
    return len(opened.verified) - 1


def test_the_checkpoint_carries_the_cosignatures_of_a_quorum(tmp_path: Path, three: list[Witness]) -> None:
    records = Records()
    with witnessed(tmp_path, three, 3) as writer:
        for count in (1, 300, 5):
            tree = writer.append(records.batch(count)).tree
            assert cosigned(tmp_path, three) == 3
            assert {witness.seen for witness in three} == {tree}
    assert verify(tmp_path, VERIFIER).tree.size == 306


def test_a_verification_demands_the_quorum(tmp_path: Path, three: list[Witness]) -> None:
    with witnessed(tmp_path, three[:2], 2) as writer:
        writer.append(Records().batch(20))

    assert verify(tmp_path, VERIFIER, witnesses=keys(three), quorum=2).tree.size == 20
    with pytest.raises(Diverged, match="cosigned by 2 of the witnesses, not 3"):
        verify(tmp_path, VERIFIER, witnesses=keys(three), quorum=3)


def test_the_file_of_witnesses_says_who_and_how_many(tmp_path: Path, three: list[Witness]) -> None:
    listed = [f'[[witness]]\nkey = "{each.remote.key}"\nurl = "{each.remote.url}"\n' for each in three]
    file = tmp_path / "witnesses.toml"
    file.write_text("quorum = 2\n" + "".join(listed))

    assert load(file).remotes == [each.remote for each in three]
    for wrong, line in (("quorum = 4\n", 1), ("quorum = 0\n", 1)):
        file.write_text(wrong + "".join(listed))
        with pytest.raises(FileRefused) as refused:
            load(file)
        assert refused.value.line == line
    file.write_text("quorum = 1\n" + listed[0].replace(str(three[0].remote.key), str(VERIFIER)))
    with pytest.raises(FileRefused, match="a witness has a cosignature/v1 key"):
        load(file)


def test_a_receipt_proves_that_witnesses_saw_the_log(tmp_path: Path, three: list[Witness]) -> None:
    with witnessed(tmp_path, three, 2) as writer:
        writer.append(Records().batch(9))
        made = receipt(writer.reader(), 4, (tmp_path / "checkpoint").read_bytes())

    assert verify_receipt(made, VERIFIER, keys(three), quorum=2).index == 4
    with pytest.raises(ReceiptRefused, match="cosignatures by"):
        verify_receipt(made, VERIFIER, [], quorum=1)


def test_without_a_quorum_nothing_is_published_until_there_is_one(tmp_path: Path, three: list[Witness]) -> None:
    records = Records()
    with witnessed(tmp_path, three, 2) as writer:
        writer.append(records.batch(10))
        served = (tmp_path / "checkpoint").read_bytes()
        three[0].away = three[1].away = True
        batch = records.batch(10)
        for _ in range(2):
            with pytest.raises(QuorumMissing, match="fewer than 2 witnesses cosigned"):
                writer.append(batch)
            assert (tmp_path / "checkpoint").read_bytes() == served
        three[0].away = False

        assert writer.append(batch).tree.size == 20

    assert cosigned(tmp_path, three) == 2


def test_a_witness_that_was_away_is_told_what_it_missed(tmp_path: Path, three: list[Witness]) -> None:
    records = Records()
    with witnessed(tmp_path, three[:1], 1) as writer:
        writer.append(records.batch(10))
    with witnessed(tmp_path, three[:2], 2) as writer:  # the second has seen nothing yet, and says so
        tree = writer.append(records.batch(500)).tree
    assert [witness.seen for witness in three[:2]] == [tree, tree]


def following(done: int, count: int, kind: str = "record") -> Batch:
    """The records that follow on so many."""
    records = Records(kind)
    records.batch(done)
    return records.batch(count)


def test_a_fork_and_a_log_that_went_back_are_refused(tmp_path: Path, three: list[Witness]) -> None:
    """As by whoever holds the log's key, but not the witnesses'."""
    one = three[:1]
    with witnessed(tmp_path / "log", one, 1) as writer:
        writer.append(following(0, 10))
        old = copied(tmp_path / "log", tmp_path / "old")
        seen = writer.append(following(10, 10)).tree
    a_log(tmp_path / "fork", [20], Records("another"))

    with (
        witnessed(old, one, 1) as writer,
        pytest.raises(QuorumMissing, match="seen a log of 20 entries, and this one has 11: the log went back"),
    ):
        writer.append(following(10, 1))
    with witnessed(tmp_path / "fork", one, 1) as writer, pytest.raises(QuorumMissing, match="refused with status 422"):
        writer.append(following(20, 5, "another"))
    assert one[0].seen == seen


def test_a_false_cosignature_counts_for_nothing(tmp_path: Path, three: list[Witness]) -> None:
    """Another's key is configured for the place where this witness answers."""
    remote = Remote(three[1].remote.key, three[0].remote.url)
    with pytest.raises(QuorumMissing, match="no cosignature of this checkpoint"):
        Writer(tmp_path, SIGNER, witness=Witnesses(tmp_path, [remote], 1), disk=unsynced(tmp_path))


@pytest.mark.parametrize("quorum", [0, 3])
def test_a_quorum_that_cannot_be_is_refused(tmp_path: Path, three: list[Witness], quorum: int) -> None:
    with pytest.raises(ValueError, match="quorum must be between 1 and"):
        Witnesses(tmp_path, [three[0].remote, three[1].remote], quorum)
