"""What a fault comes to: a stack that stays away has never recovered, and a fault that was none is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from kafka.errors import KafkaTimeoutError

from services.cli.local.errors import NotReady
from tests.chaos import faults
from tests.chaos.clients import GivenUp
from tests.chaos.clocks import DAY
from tests.chaos.faults import strike
from tests.chaos.schedule import Fault, Kind

A_KILL = Fault(1, Kind.KILL, "intake")


class Refused(grpc.RpcError):
    """A canary's answer that no repeat mends."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.INTERNAL


def a_world(
    tmp_path: Path,
    *,
    acknowledged: bool = True,
    raises: Exception | None = None,
    reached: float | None = 0.0,
    ready: Exception | None = None,
    said: bytes = b"",
    refuses: bool = True,
) -> Any:
    """A stack that does what is told of it; `said` is what the one whose disk is full writes into its log."""
    log = tmp_path / "any.log"
    log.write_bytes(b"No space left of before\n")

    def raise_one(submission: Any) -> None:
        if raises:
            raise raises

    def wait_ready(names: Any, timeout: float = 0.0) -> None:
        if ready and timeout:
            raise ready

    def raise_all(work: Any) -> None:
        with log.open("ab") as file:
            file.write(said)

    return SimpleNamespace(
        ledger=SimpleNamespace(wait_for=lambda *_: acknowledged, wait_reached=lambda *_: reached, count=0),
        clients=SimpleNamespace(raise_one=raise_one),
        stack=SimpleNamespace(
            kill=lambda _: 1, wait_ready=wait_ready, home=SimpleNamespace(log=lambda _: log), address=lambda _: ""
        ),
        wiring=SimpleNamespace(
            disks=SimpleNamespace(fill=lambda _: None, empty=lambda _: None, refuses=lambda _: refuses),
            clocks=SimpleNamespace(set=lambda *_: None),
        ),
        raise_all=raise_all,
        brokers=None,
    )


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FULL_SECONDS", "WRONG_CLOCK_SECONDS", "RIGHT_AGAIN_SECONDS"):
        monkeypatch.setattr(faults, name, 0.02)
    monkeypatch.setattr(faults, "LOOK_EVERY", 0.001)


def test_a_stack_that_comes_back_has_recovered(tmp_path: Path) -> None:
    recovery = strike(a_world(tmp_path), A_KILL, 0, "run")

    assert not recovery.never
    assert recovery.trouble == ""


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"acknowledged": False}, "TimeoutError: only 0 were acknowledged"),
        ({"raises": GivenUp("key was not answered")}, "GivenUp: key was not answered"),
        ({"raises": Refused()}, "a canary was answered INTERNAL"),
        ({"raises": KafkaTimeoutError("away")}, "KafkaTimeoutError"),
        ({"reached": None}, "had not reached its partners"),
        ({"ready": NotReady("audit ended 5 times")}, "NotReady: audit ended 5 times"),
    ],
)
def test_a_stack_that_does_not_is_a_recovery_that_never_was(tmp_path: Path, broken: Any, told: str) -> None:
    recovery = strike(a_world(tmp_path, **broken), A_KILL, 0, "run")

    assert recovery.never
    assert told in recovery.trouble


@pytest.mark.parametrize(
    ("full", "told"),
    [
        ({"said": b"IOException: No space left on device\n"}, ""),
        ({"said": b"IOException: No space left on device\n", "refuses": False}, "took a write although it was full"),
        ({}, "its log says nothing of one"),
    ],
)
def test_a_disk_was_full_where_it_refused_a_byte_and_its_owner_met_that(tmp_path: Path, full: Any, told: str) -> None:
    trouble = strike(a_world(tmp_path, **full), Fault(1, Kind.FULL, "kafka"), 0, "run").trouble

    assert told in trouble if told else trouble == ""


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (lambda moment: 0.0 if moment else -DAY, ""),
        (lambda moment: 0.0, "its clock stayed right"),
        (lambda moment: 0.0 if moment else DAY, "its clock stayed right"),
        (lambda moment: float(-DAY), "its clock stayed wrong"),
        (lambda moment: None, "its clock stayed wrong"),
    ],
    ids=["set and right again", "never set", "set the other way", "not set back", "not answering"],
)
def test_a_clock_was_wrong_where_the_service_itself_showed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Callable[[int], float | None], told: str
) -> None:
    moments = iter(range(10**6))
    monkeypatch.setattr(faults, "wrong_by", lambda _: shown(next(moments)))

    assert strike(a_world(tmp_path), Fault(1, Kind.BEHIND, "triage"), 0, "run").trouble == told
