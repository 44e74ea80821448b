"""Facts of many topics on disk, given back referral by referral: memory stays small however long the topics are."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from services.chassis.deciding import Upstream

MOST_FAULTS = 20
SPOOL_AT = 2_000
"""Facts that wait in memory for one insert."""


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


class Spool(AbstractContextManager["Spool"]):
    """One temporary file of about the topics' size, gone at the end. It holds what the topics hold: nothing in clear.

    The same fact twice is kept once; another one of the same sequence is a fork, and a fault.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=folder, prefix="rebuild-")
        self._database = sqlite3.connect(Path(self._folder.name) / "facts.sqlite")
        self._database.execute("PRAGMA journal_mode = OFF")  # it outlives nothing: a crash begins anew
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE facts (referral TEXT, writer TEXT, sequence INTEGER, event TEXT, raw BLOB,"
            " PRIMARY KEY (referral, writer, sequence)) WITHOUT ROWID"
        )
        self._waiting: list[tuple[str, str, int, str, bytes]] = []
        self._forks: list[Fault] = []

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._folder.cleanup()

    def add(self, given: Upstream, raw: bytes) -> None:
        """Take in one fact, in any order."""
        self._waiting.append((given.referral_id, given.writer, given.sequence, given.cause_id, raw))
        if len(self._waiting) >= SPOOL_AT:
            self._write()

    def faults(self) -> list[Fault]:
        """Forks and gaps; a rebuild of what has any would not be what the service decided. At most MOST_FAULTS."""
        self._write()
        gaps = self._database.execute(
            "SELECT referral, writer, count(*) FROM facts GROUP BY referral, writer"
            " HAVING max(sequence) <> count(*) LIMIT ?",
            (MOST_FAULTS,),
        )
        found = [Fault(referral, writer, 0, f"a gap among the {count} there are") for referral, writer, count in gaps]
        return (self._forks + found)[:MOST_FAULTS]

    def referrals(self) -> int:
        """How many there are."""
        self._write()
        count: int = self._database.execute("SELECT count(DISTINCT referral) FROM facts").fetchone()[0]
        return count

    def __iter__(self) -> Iterator[tuple[str, dict[str, list[bytes]]]]:
        """Each referral with its facts by writer, in order; one referral in memory at a time."""
        self._write()
        referral, facts = "", dict[str, list[bytes]]()
        for found, writer, raw in self._database.execute(
            "SELECT referral, writer, raw FROM facts ORDER BY referral, writer, sequence"
        ):
            if found != referral:
                if facts:
                    yield referral, facts
                referral, facts = found, {}
            facts.setdefault(writer, []).append(raw)
        if facts:
            yield referral, facts

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        with self._database:
            for row in waiting:
                done = self._database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?, ?, ?, ?)", row)
                if not done.rowcount:
                    self._compare(*row)

    def _compare(self, referral: str, writer: str, sequence: int, event: str, raw: bytes) -> None:
        known_event, known_raw = self._database.execute(
            "SELECT event, raw FROM facts WHERE referral = ? AND writer = ? AND sequence = ?",
            (referral, writer, sequence),
        ).fetchone()
        if (known_event, known_raw) != (event, raw) and len(self._forks) < MOST_FAULTS:
            self._forks.append(Fault(referral, writer, sequence, "a fork: two different facts of one sequence"))
