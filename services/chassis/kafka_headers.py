"""Makes both Kafka clients read records whose header names are no UTF-8.

A partner can write one, and the broker takes it. As shipped (kafka-python 3.0.12, aiokafka 0.14) such a record ends
the fetch with an error, for ever and for all partitions: one record on one partner's replies would stop whoever
reads them.
"""

from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from kafka.record.default_records import DefaultRecordBatch


class _Lenient(bytearray):
    """Bytes whose text shows what is no UTF-8 as \\xff, so that it can be encoded again."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Lenient(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        """Decode, whatever it is."""
        return super().decode(encoding, "backslashreplace")


def tolerate() -> None:
    """Take effect for every consumer of this process; a second call changes nothing."""
    aiokafka.consumer.fetcher.MemoryRecords = _Batches
    shipped = DefaultRecordBatch._read_msg
    if getattr(shipped, "is_tolerant", False):
        return

    def read(batch: Any, *arguments: Any) -> Any:
        try:
            return shipped(batch, *arguments)
        except UnicodeDecodeError:
            # Its position moves only when a record was read whole. For the rest of the batch: copied once, not
            # once for each such record.
            batch._buffer = _Lenient(batch._buffer)
            return shipped(batch, *arguments)

    read.is_tolerant = True  # type: ignore[attr-defined]  # functions may carry marks
    DefaultRecordBatch._read_msg = read


class _Batches(_MemoryRecordsPy):  # type: ignore[misc]  # marked final, and the only place that knows a batch's bytes
    """What aiokafka fetched of one partition, its batches one after the other."""

    def next_batch(self) -> Any:
        raw = self._next_slice
        return _Batch(super().next_batch(), raw)


class _Batch:
    """A batch that aiokafka's C code reads, and where that cannot, its Python code with lenient names."""

    def __init__(self, shipped: Any, raw: Any) -> None:
        self._shipped = shipped
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shipped, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._shipped))
        except (UnicodeDecodeError, CorruptRecordException):
            lenient = _DefaultRecordBatchPy(self._raw)
            lenient._maybe_uncompress()
            lenient._buffer = _Lenient(lenient._buffer)
            return iter(list(lenient))
