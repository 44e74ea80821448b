"""The rule of commits: never past the lowest record that is not done. Pure; one thread at a time."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from services.chassis.kafka_in.chunk import Chunk, Held

TopicPartition = tuple[str, int]
_PLACE = attrgetter("topic", "partition")


class Progress(NamedTuple):
    """How far one partition is. Both are offsets of the next record to come.

    `committable` stops at the first record that is not done, `handled` at the first that is neither done nor
    held. Between the two, only held records are waited for.
    """

    committable: int
    handled: int


@dataclass(slots=True)
class _Partition:
    committed: int  # what the broker is known to hold, or where reading began
    following: int  # one past the last record fetched
    # Insertion order is offset order, so the first key is the lowest; the value says whether it is held.
    unfinished: dict[int, bool] = field(default_factory=dict)

    def committable(self) -> int:
        return next(iter(self.unfinished), self.following)

    def handled(self) -> int:
        return next((offset for offset, held in self.unfinished.items() if not held), self.following)


class Offsets:
    """What was fetched of each partition and not yet done.

    Offsets may have gaps (expired records, transaction markers): only fetched records are ever waited for.
    What is said about a partition or record that is not known is ignored, so a late answer for a revoked
    partition changes nothing; for one that came back, the answer is true of the same record.
    """

    def __init__(self) -> None:
        self._partitions: dict[TopicPartition, _Partition] = {}

    def fetched(self, partition: TopicPartition, offsets: Sequence[int]) -> None:
        """Note records as handed on. Offsets ascend; a lower one than before means that reading went back."""
        if not offsets:
            return
        state = self._partitions.get(partition)
        if state is None or offsets[0] < state.following:
            # Read again from further back: what was known past this point no longer bounds a commit.
            state = self._partitions[partition] = _Partition(committed=offsets[0], following=offsets[0])
        state.unfinished.update(dict.fromkeys(offsets, False))
        state.following = offsets[-1] + 1

    def done(self, partition: TopicPartition, offsets: Iterable[int]) -> None:
        """Note that these records need no second reading."""
        state = self._partitions.get(partition)
        if state is not None:
            for offset in offsets:
                state.unfinished.pop(offset, None)

    def hold(self, partition: TopicPartition, offset: int) -> None:
        """Note that this record was handled, and waits; only `done` lets commits pass it."""
        state = self._partitions.get(partition)
        if state is not None and offset in state.unfinished:
            state.unfinished[offset] = True

    def answered(self, chunk: Chunk, held: Held) -> None:
        """Note the engine's answer: every record of the chunk is done, except those held."""
        for position in held:
            self.hold((position.topic, position.partition), position.offset)
        waiting = frozenset(held)
        for place, records in groupby(chunk.records, _PLACE):
            if waiting:
                self.done(place, [record.offset for record in records if record.position not in waiting])
            else:
                self.done(place, [record.offset for record in records])

    def committable(self) -> dict[TopicPartition, int]:
        """Return what may be committed and is not yet: for each partition the offset to read next."""
        return {
            partition: offset
            for partition, state in self._partitions.items()
            if (offset := state.committable()) != state.committed
        }

    def committed(self, offsets: dict[TopicPartition, int]) -> None:
        """Note what the broker has confirmed."""
        for partition, offset in offsets.items():
            if (state := self._partitions.get(partition)) is not None:
                state.committed = offset

    def forget(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Drop what is known of these partitions (of all, without an argument): they are no longer ours."""
        for partition in list(self._partitions) if partitions is None else partitions:
            self._partitions.pop(partition, None)

    def progress(self) -> dict[TopicPartition, Progress]:
        """Return how far each partition is that anything was fetched of."""
        return {
            partition: Progress(state.committable(), state.handled()) for partition, state in self._partitions.items()
        }

    def unfinished(self) -> int:
        """Return how many records are fetched and not done, held ones included."""
        return sum(len(state.unfinished) for state in self._partitions.values())
