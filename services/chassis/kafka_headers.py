"""Makes kafka-python read records whose header names are no UTF-8, which a partner can write and the broker takes.

As shipped (3.0.12) such a record ends the fetch with CorruptRecordError, for ever and for all partitions: one record
on one partner's replies would stop whoever reads them.
"""

from typing import Any

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
