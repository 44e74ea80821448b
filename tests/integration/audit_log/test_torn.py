"""Every byte and every step of a batch at which a writer can end: nothing integrated is lost, nothing twice."""

from __future__ import annotations

import errno
import multiprocessing
import random
from pathlib import Path

import pytest

from services.audit.log import disk as disks
from services.audit.log.disk import Fenced
from services.audit.log.verify import verify
from services.audit.log.writer import Appended, Writer
from tests.unit.audit.log.failing import FailingDisk, Killed, fails, logged, names, put_files, signed_tree
from tests.unit.audit.log.support import SIGNER, VERIFIER, Records, Remembering, a_log, a_writer

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def _try_to_write(folder: str, answers: multiprocessing.SimpleQueue[str]) -> None:
    try:
        Writer(Path(folder), SIGNER).close()
    except Fenced as error:
        answers.put(str(error))
    else:
        answers.put("wrote")


def test_another_process_is_fenced_off_too(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    for expected in ("another process writes this log", "wrote"):
        writer = a_writer(tmp_path) if expected != "wrote" else None
        process = context.Process(target=_try_to_write, args=(str(tmp_path), answers))
        process.start()
        process.join(60)
        assert expected in answers.get()
        if writer:
            writer.close()


@pytest.mark.parametrize("failure", [Killed(), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0])
def test_failing_at_any_step_loses_and_repeats_nothing(tmp_path: Path, failure: BaseException, part: float) -> None:
    at, failed = 0, True
    while failed:
        at += 1
        folder, store, records = tmp_path / str(at), Remembering(), Records()
        with a_writer(folder, store.memory()) as writer:
            writer.append(records.batch(700))
        before, batch = signed_tree(folder), records.batch(400)
        disk = FailingDisk(folder, 0, failure, part)
        with a_writer(folder, store.memory(), disk=disk) as writer:
            disk.left = at
            failed = fails(lambda writer=writer, batch=batch: writer.append(batch))  # type: ignore[misc]
        assert signed_tree(folder).size in (700, 1_100)

        with a_writer(folder, store.memory()) as writer:  # as after the next start
            assert writer.tree in (before, store.tree)
            assert writer.append(batch).first == 700
            writer.append(records.batch(5))

        assert logged(folder) == [*Records().batch(700).leaves, *batch.leaves, *logged(folder)[1_100:]]
        assert verify(folder, VERIFIER, seen=store.all).tree.size == 1_105
        assert len({tree.size for tree in store.all}) == len(set(store.all)), "two trees of one size were signed"
    assert at >= 20, "every step of a batch was tried"


@pytest.mark.parametrize(("size", "more", "tried"), [(2, 1, None), (250, 8, 300)])
def test_the_last_batch_torn_at_any_byte_is_recovered(tmp_path: Path, size: int, more: int, tried: int | None) -> None:
    """Killed before anything was synced, so any file of the batch may be absent, whole or cut at any byte."""
    records, chosen = Records(), random.Random(4)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    a_log(whole, [size], records)
    old = {name: (whole / name).read_bytes() for name in disks.files(whole)}
    batch = records.batch(more)
    with a_writer(whole) as writer:
        after = writer.append(batch).tree
    new = {name: (whole / name).read_bytes() for name in names(whole) - old.keys()}
    new["positions.new"] = (whole / "positions").read_bytes()
    cuts = [(name, byte) for name, data in sorted(new.items()) for byte in range(len(data) + 1)]

    for name, byte in chosen.sample(cuts, tried) if tried else cuts:
        others = {other: data for other, data in new.items() if chosen.random() < 0.5}
        put_files(torn, {**old, **others, name: new[name][:byte]})
        with a_writer(torn) as writer:
            assert writer.tree.size == size
            assert set(disks.files(torn)) == set(old)
            assert writer.append(batch) == Appended(size, after)
    assert verify(torn, VERIFIER).tree == after
