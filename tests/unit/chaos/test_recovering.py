"""Recovery is judged for what was struck, apart; what never recovered is wrong, and so is a fault that was none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from kafka.errors import KafkaConnectionError

from services.cli.local.stack import Stack
from tests.chaos import recovering
from tests.chaos.concluding import Done, Looks, conclude, last_line
from tests.chaos.judging import Verdict
from tests.chaos.ledger import Ledger
from tests.chaos.recovering import UNMET, Recovery
from tests.chaos.schedule import BROKER, STORE, Fault, Kind
from tests.chaos.topics import Facts


def a_kill(target: str, seconds: float, trouble: str = "") -> Recovery:
    return Recovery(Fault(1, Kind.KILL, target), seconds, trouble)


def test_service_store_and_broker_are_told_apart() -> None:
    said = recovering.said([a_kill("intake", 2.0), a_kill(BROKER, 40.0), a_kill("triage", 4.0), a_kill(STORE, 9.0)])

    assert said == [
        "recovery, service: 2 faults, median 2.0 s, 99th percentile 4.0 s, at most 30 s",
        "recovery, store: 1 faults, median 9.0 s, 99th percentile 9.0 s, at most 30 s",
        "recovery, broker: 1 faults, median 40.0 s, 99th percentile 40.0 s, at most 60 s",
    ]


def test_what_a_broker_may_take_is_too_long_for_a_service_and_for_the_store() -> None:
    assert not recovering.wrong([a_kill(BROKER, 40.0)])
    for target in ("intake", STORE):
        (wrong,) = recovering.wrong([a_kill(target, 40.0), a_kill(BROKER, 1.0)])
        assert f"kill {target} after 1, back after 40.0 s" in wrong


def test_one_late_recovery_of_a_hundred_is_told_and_two_are_wrong() -> None:
    quick = [a_kill("intake", 1.0)] * 98

    assert not recovering.wrong([*quick, a_kill("triage", 1.0), a_kill("audit", 31.0)])
    assert recovering.wrong([*quick, a_kill("triage", 32.0), a_kill("audit", 31.0)])


def test_one_that_never_recovered_is_wrong_among_however_many() -> None:
    wrong = recovering.wrong([*[a_kill("intake", 1.0)] * 500, a_kill("audit", inf, "NotReady: audit does not answer")])

    assert wrong == ["kill audit after 1, not back: NotReady: audit does not answer"]


def test_a_fault_that_was_none_is_wrong_though_all_went_well() -> None:
    assert recovering.wrong([a_kill("intake", 1.0, "its clock stayed right")]) == [
        "kill intake after 1, back after 1.0 s: its clock stayed right"
    ]


def test_the_last_line_says_how_many_of_the_planned_faults_were_done() -> None:
    verdict = Verdict(acknowledged=7, lost=0, duplicated=0, repeated=1, out_of_order=0, said=())

    def line(planned: int) -> str:
        return last_line(Done(5, planned, [a_kill("intake", 1.0)], wired=False), verdict, Facts(), 0, complete=True)

    rest = "7 acknowledged, 0 lost, 0 duplicated, 1 repeated, 0 out of order, log complete"
    assert line(1) == f"chaos: seed 5, 1 faults, {rest}"
    assert line(2) == f"chaos: seed 5, 1 of 2 faults, {rest}"


def a_full_disk(target: str, trouble: str = "") -> Recovery:
    return Recovery(Fault(1, Kind.FULL, target), 1.0, trouble)


def test_a_full_disk_that_its_owner_did_not_meet_is_wrong_only_where_it_never_met_one() -> None:
    unmet = [a_full_disk(STORE, UNMET)] * 3

    assert not recovering.wrong(unmet[:2])
    assert not recovering.wrong([*unmet, a_full_disk(STORE)])
    assert recovering.wrong([*unmet, a_full_disk(BROKER)]) == [f"{STORE} met none of 3 full disks"]


def test_what_cannot_be_looked_at_is_wrong_and_the_next_is_looked_at_all_the_same() -> None:
    def gone() -> list[str]:
        raise ConnectionError("the broker is gone")

    looks, nothing = Looks(), list[str]()

    assert looks.at("the topics", gone, nothing) == []
    assert looks.at("the log", lambda: "complete", "") == "complete"
    assert looks.wrong == ["the topics could not be looked at: ConnectionError: the broker is gone"]


def test_a_run_whose_stack_is_gone_still_says_its_last_line_and_is_wrong(tmp_path: Path) -> None:
    said: list[str] = []
    poison = SimpleNamespace(places=set(), parked={}, refusals=Counter(), kinds=Counter(), replayed=0)
    gone: Any = SimpleNamespace(
        stack=Stack(tmp_path),  # never started: nothing answers
        ledger=Ledger(),
        poison=poison,
        clients=SimpleNamespace(codes={}),
        wiring=SimpleNamespace(injected=Counter()),
        end=lambda: None,
    )

    done = Done(5, 3, [a_kill("intake", inf, "NotReady")], wired=True)
    with patched(KafkaConnectionError("gone")):
        status = conclude(gone, done, said.append)

    assert status == 1
    assert said[-1].startswith("chaos: seed 5, 1 of 3 faults, 0 acknowledged")
    assert said[-1].endswith("log incomplete")
    wrong = "\n".join(line for line in said if "WRONG" in line)
    for what in ("the topics", "what is parked", "audit's index", "the log", "the rebuilds"):
        assert f"{what} could not be looked at: KafkaConnectionError" in wrong
    assert "2 of 3 faults were not done" in wrong


@contextmanager
def patched(error: Exception) -> Iterator[None]:
    """Every look at the stack fails at once."""
    looks = ["topics.facts", "topics.parked", "topics.timeline_holes"]
    looks += ["rebuilding.log_trouble", "rebuilding.differences"]
    with ExitStack() as patches:
        for look in looks:
            patches.enter_context(patch(f"tests.chaos.concluding.{look}", side_effect=error))
        yield
