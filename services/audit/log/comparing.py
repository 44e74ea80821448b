"""Compares leaves with the records of their topics, in batches that keep memory constant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.audit.log.diverged import Diverged
from services.audit.log.leaf import Gap, NoLeaf, Place, decode
from services.audit.log.resuming import Progress


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a topic keeps of a partition: the offsets [first, end)."""

    topic: str
    first: int
    end: int


class Topics(Protocol):
    """Reads the topics. Errors of the broker go through to whoever verifies."""

    def bounds(self) -> Mapping[Place, Bounds]:
        """Every partition as it is now. Asked before the log's checkpoint is read, since later records may have no
        leaf yet; and again where the log has more than that, since it may have grown meanwhile."""

    def leaves(self, place: Place, start: int, until: int) -> Iterable[tuple[int, bytes]]:
        """Each record that the topic keeps with an offset in [start, until), in order: its offset and the leaf that
        it must have."""


class Comparison:
    """Every leaf matches its record, and every record has its leaf."""

    def __init__(self, topics: Topics, bounds: Mapping[Place, Bounds], done: Progress) -> None:
        self._topics = topics
        self._done = done
        self._bounds = bounds
        self._waiting: dict[Place, list[tuple[int, int, int, bytes]]] = {}
        """For each partition: index, offset, the offset that follows, and the leaf (nothing where it is a gap)."""

    def add(self, first: int, entries: Sequence[bytes]) -> None:
        """Take the entries that begin at index `first`; `compare` looks at them."""
        for index, entry in enumerate(entries, first):
            try:
                leaf = decode(entry)
            except NoLeaf as error:
                raise Diverged(f"entry {index}", str(error)) from None
            known = b"" if isinstance(leaf, Gap) else entry
            place = (leaf.topic_id, leaf.partition)
            self._waiting.setdefault(place, []).append((index, leaf.offset, leaf.until, known))

    def compare(self) -> None:
        """Compare all that was added with the topics."""
        for place, leaves in self._waiting.items():
            bounds = self._bounds.get(place) or self._now().get(place)
            if bounds is None:
                raise Diverged(f"entry {leaves[0][0]}", f"there is no topic {place[0]} with partition {place[1]}")
            self._compare(place, bounds, leaves)
        self._waiting.clear()

    def _compare(self, place: Place, bounds: Bounds, leaves: Sequence[tuple[int, int, int, bytes]]) -> None:
        records = iter(self._topics.leaves(place, leaves[0][1], leaves[-1][2]))
        record = next(records, None)
        for index, offset, until, leaf in leaves:
            where = f"{bounds.topic}/{place[1]} offset {offset}"
            if record is not None and record[0] < until and not leaf:
                raise Diverged(
                    f"entry {index}", f"the log says that {where} was missing, but the topic has {record[0]}"
                )
            if not leaf:
                continue
            if record is None or record[0] != offset:
                if offset >= bounds.first and offset >= self._now()[place].first:
                    raise Diverged(f"entry {index}", f"{where} is not on its topic")
                self._done.expired += 1
                continue
            if record[1] != leaf:
                raise Diverged(f"entry {index}", f"{where} is another record than was logged")
            self._done.records += 1
            record = next(records, None)

    def _now(self) -> Mapping[Place, Bounds]:
        return self._topics.bounds()

    def finish(self, reached: Mapping[Place, int]) -> None:
        """Every record must have been in the log, and the log must not be ahead of a topic."""
        ends: Mapping[Place, Bounds] = {}
        for place, bounds in self._bounds.items():
            offset = reached.get(place, 0)
            if offset < bounds.end:
                raise Diverged(
                    f"{bounds.topic}/{place[1]} offset {offset}", f"not in the log; the topic goes up to {bounds.end}"
                )
            if offset > bounds.end and offset > (ends := ends or self._now())[place].end:
                raise Diverged(
                    f"{bounds.topic}/{place[1]} offset {ends[place].end}",
                    f"the topic ends here, but the log holds it up to {offset}: the broker was put back",
                )
