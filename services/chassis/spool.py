"""Facts of many topics on disk, given back referral by referral: memory stays small however long the topics are."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from struct import Struct

from services.chassis.deciding import Upstream

MOST_FAULTS = 20
BUCKETS = 256
"""Parts among which referrals are spread; one of them at a time is read back into memory."""
WAITING = 16 * 1024 * 1024
"""Bytes that wait in memory before they are written; small topics never touch the disk."""
_HEAD = Struct("<36sBII")
"""Before each fact: its referral, which is a UUID by its field rules, its writer's number, its sequence, its length."""
_Referral = dict[str, dict[int, bytes]]
"""Facts by writer and sequence."""


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
    """One temporary file of about the topics' size, gone at the end. It holds what the topics hold: nothing in clear.

    The same fact twice counts once; another one of the same sequence is a fork, and a fault.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, prefix="rebuild-")  # noqa: SIM115 - closed by __exit__
        self._waiting = [bytearray() for _ in range(BUCKETS)]
        self._size = 0
        self._written: list[list[tuple[int, int]]] = [[] for _ in range(BUCKETS)]
        """Of each bucket, where its pieces lie in the file, and how long they are."""
        self._writers: list[str] = []

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, given: Upstream, raw: bytes) -> None:
        """Take in one fact, in any order."""
        referral_id, writer = given.referral_id, given.writer
        if writer not in self._writers:
            self._writers.append(writer)
        head = _HEAD.pack(referral_id.encode(), self._writers.index(writer), given.sequence, len(raw))
        bucket = self._waiting[hash(referral_id) % BUCKETS]
        bucket += head
        bucket += raw
        self._size += len(raw)
        if self._size >= WAITING:
            self._write()

    def survey(self) -> Survey:
        """Look at everything once."""
        count, forks, gaps = 0, list[Fault](), list[Fault]()
        for number in range(BUCKETS):
            referrals = self._read(number, forks)
            count += len(referrals)
            gaps += [
                Fault(referral_id, writer, 0, f"a gap among the {len(facts)} there are")
                for referral_id, writers in referrals.items()
                for writer, facts in writers.items()
                if max(facts) != len(facts)
            ]
        return Survey(count, (forks + gaps)[:MOST_FAULTS])

    def __iter__(self) -> Iterator[tuple[str, dict[str, list[bytes]]]]:
        """Each referral with its facts by writer, in order."""
        for number in range(BUCKETS):
            for referral_id, writers in self._read(number, []).items():
                yield (
                    referral_id,
                    {writer: [facts[place] for place in sorted(facts)] for writer, facts in writers.items()},
                )

    def _write(self) -> None:
        """Let what waits go to the file, a piece for each bucket."""
        end = self._file.seek(0, SEEK_END)
        for bucket, pieces in zip(self._waiting, self._written, strict=True):
            pieces.append((end, len(bucket)))
            end += self._file.write(bucket)
            bucket.clear()
        self._size = 0

    def _read(self, number: int, forks: list[Fault]) -> dict[str, _Referral]:
        """One bucket's referrals; what is found twice with two contents is added to `forks`."""
        held = bytearray()
        for start, size in self._written[number]:
            self._file.seek(start)
            held += self._file.read(size)
        held += self._waiting[number]
        referrals: dict[str, _Referral] = {}
        at = 0
        while at < len(held):
            name, writer_number, sequence, size = _HEAD.unpack_from(held, at)
            at += _HEAD.size + size
            raw = bytes(held[at - size : at])
            referral_id, writer = name.decode(), self._writers[writer_number]
            facts = referrals.setdefault(referral_id, {}).setdefault(writer, {})
            if facts.setdefault(sequence, raw) != raw:
                forks.append(Fault(referral_id, writer, sequence, "a fork: two different facts of one sequence"))
        return referrals
