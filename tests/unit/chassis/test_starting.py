"""What a service that starts waits for, and what it ends for at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError
from pydantic import SecretStr
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from services.chassis import starting
from services.chassis.engine.away import Away
from services.chassis.starting import connect_store, wait_for


class Answers:
    """Fails so often as it was told to."""

    def __init__(self, *failures: Exception) -> None:
        self._failures: Iterator[Exception] = iter(failures)

    def __call__(self) -> None:
        for failure in self._failures:
            raise failure


@pytest.fixture(autouse=True)
def _waits_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "CONNECT_EVERY", 0.0)


@pytest.mark.parametrize("address", ["mongodb://store.invalid", "mongodb://store.invalid/?w=1&readConcernLevel=local"])
def test_nothing_counts_or_is_shown_that_a_failing_member_of_the_store_could_take_back(address: str) -> None:
    settings: Any = SimpleNamespace(mongo_url=SecretStr(address))

    with connect_store(settings) as store:
        assert store.write_concern.document == {"w": "majority", "j": True}
        assert store.read_concern.level == "majority"


def test_what_does_not_answer_is_waited_for() -> None:
    away = (ServerSelectionTimeoutError("no server"), Away("store"), KafkaConnectionError())
    ready = Answers(*away)

    wait_for("triage", "store", ready, threading.Event())

    ready()  # all failures were met


def test_a_store_that_answers_and_refuses_ends_the_start_and_is_named() -> None:
    wrong = OperationFailure("Authentication failed for somebody.", 18, {"codeName": "AuthenticationFailed"})

    with pytest.raises(SystemExit) as ended:
        wait_for("triage", "store", Answers(wrong), threading.Event())

    said = "triage cannot start: the store answers with OperationFailure (AuthenticationFailed)"
    assert ended.value.code == said


@pytest.mark.parametrize("wrong", [OperationFailure("no", 2), ConfigurationError("no")])
def test_a_refusal_without_a_name_is_named_by_its_class(wrong: PyMongoError) -> None:
    with pytest.raises(SystemExit) as ended:
        wait_for("triage", "store", Answers(wrong), threading.Event())

    assert ended.value.code == f"triage cannot start: the store answers with {type(wrong).__name__}"


def test_who_is_told_to_end_waits_no_longer() -> None:
    ended = threading.Event()
    ended.set()

    with pytest.raises(SystemExit) as left:
        wait_for("triage", "store", Answers(Away("store")), ended)

    assert left.value.code == 0
