"""What Kafka hands to the engine: records, and the chunk of records that came in one fetch."""

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any, NamedTuple


class Position(NamedTuple):
    """The place of one record; the same place always holds the same record."""

    topic: str
    partition: int
    offset: int


class Record(NamedTuple):
    """One record as the broker keeps it, nothing decoded. `timestamp_ms` is UTC, milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def position(self) -> Position:
        """Return where this record lies."""
        return Position(self.topic, self.partition, self.offset)

    @property
    def lane(self) -> tuple[str, bytes | None]:
        """Return what its order is kept by: its topic and key."""
        return (self.topic, self.key)


def record_of(raw: Any) -> Record:
    """A record as either Kafka client gives it."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))


class Chunk:
    """One fetch: records of any number of partitions, each partition's in order. Never empty.

    Compared by identity: two fetches of the same records are two chunks.
    """

    __slots__ = ("records",)

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def __len__(self) -> int:
        return len(self.records)


Held = Collection[Position]
"""Records of a chunk whose effect waits for another record (a gap); `release` frees each of them later."""

Handle = Callable[[Chunk], Future[Held]]
"""The engine's door. Returns at once; chunks given in order must be handled in order.

The future resolves when every record of the chunk has taken effect, been parked, or been held, with the
positions of those held. An exception means that something could not be mended: nothing of the chunk is
acknowledged, and the process must end. Store and broker errors are waited out inside, never raised.
"""
