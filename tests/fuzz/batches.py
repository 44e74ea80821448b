"""Batches as the broker gives them, whose header names are any bytes: both Kafka clients must read every name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import aiokafka.consumer.fetcher
from kafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from services.chassis import records
from tests.fuzz.mutating import Dice
from tests.fuzz.stage import Defect

Batch = tuple[bytes, list[bytes]]
"""The bytes of a batch, and of each of its records the name of its first header."""


def a_batch(dice: Dice) -> Batch:
    """One to three records, each with a header under a name that hardly is UTF-8, and a trace that is none."""
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for number in range(dice.randrange(1, 4)):
        name = "header" + "x" * dice.randrange(30)
        batch.append(number, 1, b"k", b"v" * dice.randrange(40), [(name, dice.randbytes(3)), ("traceparent", b"\xff")])
    raw = bytearray(batch.build())
    names = []
    for found in re.finditer(rb"headerx*", bytes(raw)):
        names.append(dice.randbytes(found.end() - found.start()))
        raw[found.start() : found.end()] = names[-1]
    return bytes(raw), names


def read_batch(given: Batch) -> None:
    """Read it by both clients. Raises Defect where a record is missing or a name is not what was written."""
    raw, names = given
    _compare("kafka-python", DefaultRecordBatch(bytearray(raw)), names)
    _compare("aiokafka", aiokafka.consumer.fetcher.MemoryRecords(raw).next_batch(), names)


def _compare(client: str, batch: Iterable[Any], names: list[bytes]) -> None:
    found = list(batch)
    if len(found) != len(names):
        raise Defect(f"{client}: {len(names)} records, {len(found)} read")
    for record, name in zip(found, names, strict=True):
        records.as_mapping(record.headers)
        if [read for read, _ in record.headers] != [name.decode("utf-8", "backslashreplace"), "traceparent"]:
            raise Defect(f"{client}: a header name reads as another")
