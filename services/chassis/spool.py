"""Facts of many topics on disk, given back referral by referral: memory stays small however long the topics are."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from services.chassis.deciding import Upstream

MOST_FAULTS = 20
BUCKETS = 256
"""Parts among which referrals on the disk are spread; one of them at a time is read back into memory."""
IN_MEMORY = 64 * 1024 * 1024
"""Bytes of facts that are held in memory; what is more goes to the disk, and then all of it does."""
_Held = dict[str, dict[str, dict[int, bytes]]]
"""Facts by referral, writer and sequence."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What a topic holds and should not: ids and places only."""

    referral_id: str
    writer: str
    sequence: int
    """0 where it is about all of them."""
    what: str

    def __str__(self) -> str:
        which = f"fact {self.sequence}" if self.sequence else "facts"
        return f"referral {self.referral_id}, {self.writer}'s {which}: {self.what}"


@dataclass(frozen=True, slots=True)
class Survey:
    """What the spool holds as a whole."""

    referrals: int
    faults: list[Fault]
    """Forks and gaps; a rebuild of what has any would not be what the service decided. At most MOST_FAULTS."""


class Spool(AbstractContextManager["Spool"]):
    """In memory, or in one temporary file of about the topics' size, gone at the end: like them, nothing in clear.

    The same fact twice counts once; another one of the same sequence is a fork, and a fault.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, prefix="rebuild-")  # noqa: SIM115 - closed by __exit__
        self._held: _Held = {}
        self._forks: list[Fault] = []
        """Found among what is in memory."""
        self._size = 0
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        """Of each bucket, where its pieces lie in the file, and how long they are."""
        self._end = 0

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, given: Upstream, raw: bytes) -> None:
        """Take in one fact, in any order."""
        self._hold(self._held, given.referral_id, given.writer, given.sequence, raw, self._forks)
        self._size += len(raw)
        if self._size >= IN_MEMORY:
            self._write()

    def survey(self) -> Survey:
        """Look at everything once."""
        count, forks, gaps = 0, list[Fault](), list[Fault]()
        for referrals in self._parts(forks):
            count += len(referrals)
            gaps += [
                Fault(referral_id, writer, 0, f"a gap among the {len(facts)} there are")
                for referral_id, writers in referrals.items()
                for writer, facts in writers.items()
                if max(facts) != len(facts)
            ]
        return Survey(count, (self._forks + forks + gaps)[:MOST_FAULTS])

    def __iter__(self) -> Iterator[tuple[str, dict[str, list[bytes]]]]:
        """Each referral with its facts by writer, in order."""
        for referrals in self._parts([]):
            for referral_id, writers in referrals.items():
                yield (
                    referral_id,
                    {writer: [facts[place] for place in sorted(facts)] for writer, facts in writers.items()},
                )

    def _parts(self, forks: list[Fault]) -> Iterator[_Held]:
        """Everything, some whole referrals at a time; forks found on the way are added to `forks`."""
        if not self._end:
            yield self._held
            return
        self._write()
        for pieces in self._pieces:
            yield self._read(pieces, forks)

    @staticmethod
    def _hold(held: _Held, referral_id: str, writer: str, sequence: int, raw: bytes, forks: list[Fault]) -> None:
        writers = held.get(referral_id)
        if writers is None:
            writers = held[referral_id] = {}
        facts = writers.get(writer)
        if facts is None:
            writers[writer] = {sequence: raw}
        elif facts.setdefault(sequence, raw) != raw:
            forks.append(Fault(referral_id, writer, sequence, "a fork: two different facts of one sequence"))

    def _write(self) -> None:
        """Let what is in memory go to the file, a piece for each bucket."""
        buckets: list[_Held] = [{} for _ in range(BUCKETS)]
        for referral_id, writers in self._held.items():
            buckets[hash(referral_id) % BUCKETS][referral_id] = writers
        self._file.seek(self._end)
        for bucket, pieces in zip(buckets, self._pieces, strict=True):
            piece = marshal.dumps(bucket)
            pieces.append((self._end, len(piece)))
            self._end += self._file.write(piece)
        self._held, self._size = {}, 0

    def _read(self, pieces: Iterable[tuple[int, int]], forks: list[Fault]) -> _Held:
        """One bucket's referrals."""
        held: _Held = {}
        for start, size in pieces:
            self._file.seek(start)
            piece: _Held = marshal.loads(self._file.read(size))  # noqa: S302 - of a file that only this process can open
            for referral_id, writers in piece.items():
                if held.setdefault(referral_id, writers) is writers:
                    continue
                for writer, facts in writers.items():
                    for sequence, raw in facts.items():
                        self._hold(held, referral_id, writer, sequence, raw, forks)
        return held
