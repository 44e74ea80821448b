"""The writer: what it puts on the disk, what it refuses, and that any kill or torn write loses and repeats nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from services.audit.log import hashing, positions, tiles
from services.audit.log.checkpoint import EMPTY, Checkpoint, Tree, open_checkpoint
from services.audit.log.disk import Disk, Fenced
from services.audit.log.diverged import Diverged
from services.audit.log.leaf import Batch, Skipped
from services.audit.log.memory import FileMemory
from services.audit.log.note import Cosigner, sign
from services.audit.log.recovery import LogRefused
from services.audit.log.verify import verify
from services.audit.log.writer import Writer
from tests.unit.audit.log.failing import FailingDisk, Killed, logged, names, signed_tree
from tests.unit.audit.log.support import NAME, SIGNER, VERIFIER, Records, Remembering, a_log, a_writer, copied


def test_the_files_are_those_of_the_specification(tmp_path: Path) -> None:
    with a_writer(tmp_path) as writer:
        tree = writer.append(Batch([b"any leaf"] * 70_000, {})).tree

    assert signed_tree(tmp_path) == tree
    assert len(names(tmp_path)) == 273 * 2 + 2 + 1 + 1 + 1
    assert {"tile/0/273.p/112", "tile/entries/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"} <= names(tmp_path)


def test_any_batches_make_the_tree_of_all_their_leaves(tmp_path: Path) -> None:
    sizes = [1, 254, 1, 1, 0, 600, 255, 256, 3_000]
    tree = a_log(tmp_path, sizes)

    records = Records()
    leaves = [leaf for size in sizes for leaf in records.batch(size).leaves]
    assert logged(tmp_path) == leaves
    assert tree == Tree(sum(sizes), hashing.root_of(hashing.leaf_hashes(leaves)))
    assert verify(tmp_path, VERIFIER).tree == tree


def test_a_partial_file_stays_until_the_full_one_is_there(tmp_path: Path) -> None:
    records = Records()
    with a_writer(tmp_path) as writer:
        for _ in range(3):
            writer.append(records.batch(100))
            if writer.tree.size == 200:
                assert {"tile/0/000.p/100", "tile/0/000.p/200", "tile/entries/000.p/100"} <= names(tmp_path)

    assert not any("000.p" in name for name in names(tmp_path) if not name.startswith("tile/1/"))
    assert {"tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/entries/001.p/44"} <= names(tmp_path)


def test_superseded_files_go_a_few_with_each_batch_so_that_none_waits_for_hundreds(tmp_path: Path) -> None:
    records, removed = Records(), [0]

    class Counting(Disk):
        def remove_from(self, folder: str, at_most: int) -> tuple[int, bool]:
            went, more = super().remove_from(folder, at_most)
            removed[-1] += went
            return went, more

    with a_writer(tmp_path, disk=Counting(tmp_path, fsync=lambda descriptor: None)) as writer:
        for _ in range(300):
            writer.append(records.batch(1))
            removed.append(0)

        assert max(removed) <= 16, removed
        assert sum(removed) == 2 * 255, "all partials of the tile and of the bundle that are full now"
        assert verify(tmp_path, VERIFIER).tree.size == 300


def test_what_was_superseded_goes_while_nothing_comes_and_when_the_writer_ends(tmp_path: Path) -> None:
    records = Records()
    with a_writer(tmp_path) as writer:
        for _ in range(256):
            writer.append(records.batch(1))
        assert any("000.p/" in name for name in names(tmp_path) if not name.startswith("tile/1/"))
        while writer.tidy():
            pass
        assert names(tmp_path) == {"tile/0/000", "tile/entries/000", "tile/1/000.p/1"}
        for _ in range(256):
            writer.append(records.batch(1))

    assert names(tmp_path) == {"tile/0/000", "tile/entries/000", "tile/0/001", "tile/entries/001"} | {
        "tile/1/000.p/1",
        "tile/1/000.p/2",
    }


def test_a_superseded_file_that_a_kill_left_is_accounted_for_only_as_what_it_was(tmp_path: Path) -> None:
    a_log(tmp_path, [300])
    left = ("tile/0/000.p/7", "tile/entries/000.p/7")
    for kept in left:
        full = (tmp_path / kept.partition(".p")[0]).read_bytes()
        size = len(tiles.pack(tiles.unpack(full)[:7])) if "entries" in kept else 7 * 32
        (tmp_path / kept).parent.mkdir()
        (tmp_path / kept).write_bytes(full[:size])
    assert verify(tmp_path, VERIFIER).tree.size == 300

    for kept in left:
        right = (tmp_path / kept).read_bytes()
        (tmp_path / kept).write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
        with pytest.raises(Diverged, match=f"{kept}: not the beginning of what followed it"):
            verify(tmp_path, VERIFIER)
        (tmp_path / kept).write_bytes(right)

    with a_writer(tmp_path):
        assert not names(tmp_path) & set(left), "a start removes them"


def test_each_file_of_a_batch_is_written_once_and_all_before_the_checkpoint(tmp_path: Path) -> None:
    steps: list[str] = []

    class Watched(Disk):
        def write(self, path: str, data: bytes) -> None:
            steps.append(path)
            super().write(path, data)

        def sync(self) -> None:
            super().sync()
            steps.append("synced")

        def replace(self, path: str, data: bytes) -> None:
            super().replace(path, data)
            steps.append(path)

    with a_writer(tmp_path, disk=Watched(tmp_path)) as writer:
        steps.clear()
        writer.append(Records().batch(1_000))

    written = steps[: steps.index("synced")]
    assert len(written) == len(set(written)) == 4 + 4 + 1
    assert steps[len(written) :] == ["synced", "positions", "checkpoint"]


def test_a_second_writer_is_fenced_off_and_told_why(tmp_path: Path) -> None:
    with a_writer(tmp_path) as first:
        with pytest.raises(Fenced, match="another process writes this log, and only one may"):
            a_writer(tmp_path)
        first.append(Records().batch(1))
    with a_writer(tmp_path) as second:
        assert second.tree.size == 1


def test_a_full_disk_stops_the_signing_until_there_is_space(tmp_path: Path) -> None:
    records = Records()
    disk = FailingDisk(tmp_path, 0, OSError(errno.ENOSPC, "No space left on device"))
    with a_writer(tmp_path, disk=disk) as writer:
        writer.append(records.batch(10))
        signed = (tmp_path / "checkpoint").read_bytes()
        batch = records.batch(10)
        for _ in range(3):
            disk.left = 2
            with pytest.raises(OSError, match="No space left"):
                writer.append(batch)
            assert (tmp_path / "checkpoint").read_bytes() == signed
        assert writer.append(batch).tree.size == 20
    assert verify(tmp_path, VERIFIER).tree.size == 20


@pytest.mark.parametrize("damage", ["missing", "behind", "garbled", "of another tree"])
def test_positions_are_found_again_from_the_log(tmp_path: Path, damage: str) -> None:
    records = Records()
    a_log(tmp_path, [300], records)
    behind = (tmp_path / "positions").read_bytes()
    with a_writer(tmp_path) as writer:
        writer.append(records.batch(500))
        known = dict(writer.positions)
    right = (tmp_path / "positions").read_bytes()
    states = positions.parse(right)
    wrong = [positions.Positions(Tree(800, bytes(32)), {})]
    (tmp_path / "positions").write_bytes(
        {"behind": behind, "garbled": right[:-9], "of another tree": positions.encode(wrong)}.get(damage, b"")
    )
    if damage == "missing":
        (tmp_path / "positions").unlink()

    with a_writer(tmp_path) as writer:
        assert writer.positions == known
        writer.append(records.batch(10))

    assert states[0].next == known
    assert verify(tmp_path, VERIFIER).tree.size == 810


def test_a_batch_that_is_there_already_is_not_appended_again(tmp_path: Path) -> None:
    records = Records()
    with a_writer(tmp_path) as writer:
        writer.append(records.batch(10))
        batch = records.batch(6)
        first = writer.append(batch)
        assert writer.append(batch) == first
    with a_writer(tmp_path) as writer:
        assert writer.append(batch) == first
        assert writer.tree.size == 16


def test_offsets_that_do_not_follow_are_refused(tmp_path: Path) -> None:
    records = Records()
    first, second, third = (records.batch(6) for _ in range(3))
    with a_writer(tmp_path) as writer:
        writer.append(first)
        for wrong in (third, Batch([*first.leaves, *second.leaves], {place: (0, 4) for place in first.moves})):
            with pytest.raises(Skipped, match="must follow"):
                writer.append(wrong)
        assert writer.tree.size == 6
        writer.append(second)


def test_a_leaf_that_no_bundle_can_hold_is_refused(tmp_path: Path) -> None:
    with a_writer(tmp_path) as writer:
        with pytest.raises(ValueError, match="at most 65535 bytes"):
            writer.append(Batch([bytes(65_536)], {}))
        assert writer.append(Batch([bytes(65_535)], {})).tree.size == 1


def test_a_restored_old_copy_is_not_continued_and_both_sizes_are_named(tmp_path: Path) -> None:
    records, second = Records(), FileMemory(tmp_path / "second")
    log = tmp_path / "log"
    with a_writer(log, second) as writer:
        writer.append(records.batch(300))
    old = copied(log, tmp_path / "old")
    with a_writer(log, second) as writer:
        writer.append(records.batch(200))

    with pytest.raises(LogRefused, match=r"holds 300 entries.*remembers that 500 entries"):
        a_writer(old, second)
    with pytest.raises(LogRefused, match=r"holds 0 entries.*remembers that 500 entries"):
        a_writer(tmp_path / "empty", second)
    with a_writer(log, second) as writer:
        assert writer.tree.size == 500


@pytest.mark.parametrize("size", [200, 300, 400])
def test_another_tree_than_was_signed_is_not_continued(tmp_path: Path, size: int) -> None:
    store = Remembering()
    with a_writer(tmp_path / "log", store.memory()) as writer:
        writer.append(Records().batch(300))
    a_log(tmp_path / "other", [size], Records("another"))

    with pytest.raises(LogRefused, match=r"remembers that 300 entries"):
        a_writer(tmp_path / "other", store.memory())
    assert signed_tree(tmp_path / "other").size == size


def test_a_signed_tree_that_the_tiles_do_not_make_is_not_continued(tmp_path: Path) -> None:
    a_log(tmp_path, [300])
    tile = tmp_path / "tile/0/001.p/44"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])

    with pytest.raises(LogRefused, match="they were changed"):
        a_writer(tmp_path)


def test_a_log_of_another_key_is_not_continued(tmp_path: Path) -> None:
    a_log(tmp_path, [3])
    (tmp_path / "checkpoint").write_bytes(sign(Checkpoint("other", EMPTY).text(), SIGNER))

    with pytest.raises(LogRefused, match="checkpoint"):
        a_writer(tmp_path)


def test_killed_between_memory_and_checkpoint_signs_just_what_was_remembered(tmp_path: Path) -> None:
    records, store = Records(), Remembering()
    with a_writer(tmp_path, store.memory()) as writer:
        writer.append(records.batch(300))
    batch = records.batch(300)

    class KilledAfter(Remembering):
        def remember(self, tree: Tree) -> None:
            super().remember(tree)
            if tree.size == 600:
                raise Killed

    killed = KilledAfter()
    with a_writer(tmp_path, store.memory(), killed.memory()) as writer, pytest.raises(Killed):
        writer.append(batch)
    assert store.tree is not None
    assert (store.tree.size, signed_tree(tmp_path).size) == (600, 300)

    with a_writer(tmp_path, store.memory()) as writer:
        assert writer.tree == store.tree == signed_tree(tmp_path)
        assert writer.append(batch).first == 300


def test_a_memory_that_fails_stops_the_signing(tmp_path: Path) -> None:
    store, records = Remembering(), Records()
    away = [ConnectionError("away"), ConnectionError("away")]

    class Away(Remembering):
        def remember(self, tree: Tree) -> None:
            if tree.size and away:
                raise away.pop()
            super().remember(tree)

    unsteady = Away()
    with a_writer(tmp_path, store.memory(), unsteady.memory("another")) as writer:
        batch = records.batch(300)
        with pytest.raises(ConnectionError):
            writer.append(batch)
        assert signed_tree(tmp_path).size == 0
        with pytest.raises(ConnectionError):
            writer.append(batch)
        assert writer.append(batch).tree == unsteady.tree == store.tree


def test_witnesses_sign_the_checkpoint_that_is_served(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    witness = Cosigner("w.test.invalid", Ed25519PrivateKey.generate())
    asked: list[int] = []

    def cosign(note: bytes, before: int) -> list[object]:
        asked.append(before)
        return [witness.cosign(open_checkpoint(note, VERIFIER)[0].text(), 7)]

    with Writer(tmp_path, SIGNER, witness=cosign) as writer:  # type: ignore[arg-type]  # a list of signatures
        writer.append(Records().batch(5))

    _, opened = open_checkpoint((tmp_path / "checkpoint").read_bytes(), VERIFIER, [witness.verifier])
    assert [found.name for found in opened.verified] == [NAME, "w.test.invalid"]
    assert asked == [0, 0]
