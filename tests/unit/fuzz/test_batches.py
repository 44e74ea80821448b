"""What the fuzzing of batches is there to see: a name that a client reads as another, and a record that is missing."""

from __future__ import annotations

import random
from typing import Any

import pytest

from services.chassis import kafka_headers
from tests.fuzz.batches import a_batch, read_batch
from tests.fuzz.stage import Defect


def test_both_clients_read_every_name() -> None:
    kafka_headers.tolerate()
    for number in range(50):
        read_batch(a_batch(random.Random(f"batch {number}")))


def test_a_name_that_reads_as_another_and_a_record_that_is_missing_are_seen() -> None:
    kafka_headers.tolerate()
    raw, names = a_batch(random.Random("batch"))

    with pytest.raises(Defect, match="a header name reads as another"):
        read_batch((raw, [*names[:-1], b"another"]))
    with pytest.raises(Defect, match="records"):
        read_batch((raw, [*names, b"one more"]))


def test_a_reader_that_drops_what_is_no_utf8_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def dropping(self: Any, encoding: str = "utf-8", errors: str = "strict") -> str:
        return bytes(self).decode("utf-8", "ignore")

    kafka_headers.tolerate()
    monkeypatch.setattr(kafka_headers._Lenient, "decode", dropping)

    with pytest.raises(Defect, match="a header name reads as another"):
        read_batch(a_batch(random.Random("batch")))
