"""Kills, failures, rebalances, a broker that dies: nothing is lost, and no commit passes what is not done."""

import logging
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.chassis.kafka_settings import KafkaAccess
from services.chassis.watchdog import EXIT_STUCK
from services.cli.local.stack import Stack
from tests.integration.kafka_in.support import Commits, Place, a_reader, commits_of, effects, produce, send
from tests.waiting import happens

pytestmark = pytest.mark.integration
log = logging.getLogger(__name__)

RECORDS = 20_000
BAD = b"a value that the engine cannot handle"


def assert_no_commit_passes(commits: Commits, *files: Path) -> None:
    """Every record before a commit has had its effect. The commits are read first: effects only grow."""
    committed = commits()
    had = {place for file in files for place in effects(file)}
    passed = {(number, offset) for number, end in committed.items() for offset in range(end)} - had
    assert not passed, f"{len(passed)} records are committed and have had no effect"


def has_effects(file: Path, more_than: int) -> bool:
    return len(effects(file)) > more_than


def assert_all_in_order(sent: set[Place], file: Path) -> None:
    """Nothing is missing, and what one process had first came in order."""
    had = effects(file)
    assert set(had) == sent
    first: dict[int, list[int]] = {}
    for partition, offset in dict.fromkeys(had):
        first.setdefault(partition, []).append(offset)
    assert all(offsets == sorted(offsets) for offsets in first.values())


def test_a_reader_killed_in_the_middle_loses_nothing_and_only_repeats(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str, tmp_path: Path
) -> None:
    topic, done = make_topic(), tmp_path / "done"
    sent = produce(kafka, topic, RECORDS)
    options: dict[str, Any] = {
        "topic": topic,
        "group": group,
        "done": done,
        "max_records": 200,
        "seconds_a_chunk": 0.03,
    }

    with commits_of(kafka, topic, group) as commits:
        for part in (1, 2):
            with a_reader(kafka, **options) as reader:
                happens("some effects", partial(has_effects, done, RECORDS * part // 4))
                reader.kill()
                reader.wait()
            assert_no_commit_passes(commits, done)
        with a_reader(kafka, **options):
            happens("everything after two kills", lambda: set(effects(done)) == sent, 60)
            happens("everything committed", lambda: commits.total() == RECORDS)

    log.warning("killed twice: repeated=%d of %d", len(effects(done)) - RECORDS, RECORDS)
    assert_all_in_order(sent, done)


def test_stock_faust_loses_the_event_that_its_agent_raised_at(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str, tmp_path: Path
) -> None:
    """The behaviour that our transport is there for; if Faust mends it, this test says so by failing."""
    topic, done = make_topic(partitions=1), tmp_path / "done"
    send(kafka, topic, b"before", BAD, b"after")
    options: dict[str, Any] = {"topic": topic, "group": group, "done": done, "data": tmp_path / "faust"}

    with commits_of(kafka, topic, group, 1) as commits:
        with a_reader(kafka, program="stock", fails_on=BAD.decode(), **options) as stock:
            happens("stock Faust's commit past the failed event", lambda: commits() == {0: 3}, 60)
            stock.terminate()
            stock.wait(30)
        with a_reader(kafka, program="stock", fails_on="nothing", **options):
            send(kafka, topic, b"mended")
            happens("a record after the bug was mended", lambda: (0, 3) in effects(done), 60)

    assert (0, 1) not in effects(done)


def test_ours_ends_the_process_and_reads_the_failed_event_again(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str, tmp_path: Path
) -> None:
    topic, done = make_topic(partitions=1), tmp_path / "done"
    send(kafka, topic, b"before", BAD, b"after")
    options: dict[str, Any] = {"topic": topic, "group": group, "done": done, "max_records": 1}

    with commits_of(kafka, topic, group, 1) as commits:
        with a_reader(kafka, fails_on=BAD.decode(), **options) as reader:
            assert reader.wait(60) == EXIT_STUCK
        assert commits().get(0, 0) <= 1
        with a_reader(kafka, **options):
            happens("the failed event", lambda: set(effects(done)) == {(0, 0), (0, 1), (0, 2)})
            happens("the commit after the bug was mended", lambda: commits() == {0: 3})


def test_rebalances_between_processes_lose_nothing_and_commit_nothing_in_flight(
    kafka: KafkaAccess, make_topic: Callable[..., str], group: str, tmp_path: Path
) -> None:
    topic = make_topic()
    sent = produce(kafka, topic, RECORDS)
    files = [tmp_path / name for name in ("first", "second", "third")]
    options: dict[str, Any] = {"topic": topic, "group": group, "max_records": 200, "seconds_a_chunk": 0.2}

    def all_effects() -> set[Place]:
        return {place for file in files for place in effects(file)}

    with commits_of(kafka, topic, group) as commits, ExitStack() as readers:

        def read_into(file: Path) -> subprocess.Popen[bytes]:
            return readers.enter_context(a_reader(kafka, done=file, **options))

        first = read_into(files[0])
        happens("the first alone", lambda: has_effects(files[0], 1_000))
        second = read_into(files[1])
        happens("the second beside it", lambda: has_effects(files[1], 600))
        assert_no_commit_passes(commits, *files)
        first.terminate()  # leaves the group in good order
        assert first.wait(30) == 0
        assert_no_commit_passes(commits, *files)
        read_into(files[2])
        happens("the third beside the second", lambda: has_effects(files[2], 200))
        second.kill()  # the group waits out its session
        happens("everything", lambda: all_effects() == sent, 90)
        happens("everything committed", lambda: commits.total() == RECORDS)

    repeated = sum(len(effects(file)) for file in files) - RECORDS
    log.warning("rebalanced: repeated=%d of %d", repeated, RECORDS)
    assert repeated <= RECORDS / 4


def test_after_a_killed_broker_the_reader_goes_on_by_itself(
    broker: Stack, kafka: KafkaAccess, make_topic: Callable[..., str], group: str, tmp_path: Path
) -> None:
    topic, done = make_topic(), tmp_path / "done"
    sent = produce(kafka, topic, RECORDS)
    options: dict[str, Any] = {
        "topic": topic,
        "group": group,
        "done": done,
        "max_records": 200,
        "seconds_a_chunk": 0.05,
    }

    with a_reader(kafka, **options) as reader, commits_of(kafka, topic, group) as commits:
        happens("some effects", lambda: has_effects(done, RECORDS // 4))
        broker.kill("kafka")
        broker.wait_ready(["kafka"])
        back = time.monotonic()
        sent |= produce(kafka, topic, 1_000)
        happens("everything after the kill", lambda: set(effects(done)) == sent, 60)
        happens("everything committed", lambda: commits.total() == len(sent))
        log.warning("broker killed: all read %.1f s after it was back", time.monotonic() - back)
        assert reader.poll() is None

    assert_all_in_order(sent, done)
