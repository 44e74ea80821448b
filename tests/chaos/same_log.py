"""Whether audit's log and index are after a rebuild what they were before it: the log byte for byte, the index too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from services.audit.index import COVERED, ENTRIES, EVENTS, LOG, REFERRALS
from services.audit.log import positions, tiles
from services.audit.log.checkpoint import Checkpoint, Tree
from services.audit.log.disk import LOCK, NEW
from services.audit.log.reader import LogReader
from services.cli.local.stack import Stack

AT_ONCE = 1_000
PARTIAL = ".p"
MAY_DIFFER = (positions.FILE, LOCK)
"""Said again, in whatever words, whenever audit starts."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class LogFiles:
    """The log's files, while nobody writes them."""

    folder: Path
    tree: Tree
    digests: Mapping[str, bytes]
    """By path."""

    @classmethod
    def of(cls, folder: Path) -> LogFiles:
        """Read all."""
        note = (folder / tiles.CHECKPOINT).read_text()
        files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != NEW]
        digests = {str(file.relative_to(folder)): _digest(file.read_bytes()) for file in files}
        return cls(folder, Checkpoint.parse(note.partition("\n\n")[0] + "\n").tree, digests)


@dataclass(frozen=True)
class IndexHeld:
    """Digests of what the index held of the log's first `covered` entries."""

    covered: int
    entries: list[bytes]
    """Of each thousand."""
    referrals: bytes
    events: bytes

    @classmethod
    def of(cls, stack: Stack, until: int | None = None) -> IndexHeld:
        """Read all, of the first `until` entries; by default of as many as it holds."""
        with MongoClient[dict[str, Any]](stack.mongo_url) as client:
            database = client["audit"]
            mark = database[LOG].find_one({"_id": COVERED}) or {"size": 0}
            covered = mark["size"] if until is None else until
            places = [range(start, min(covered, start + AT_ONCE)) for start in range(0, covered, AT_ONCE)]
            entries = [digest(database[ENTRIES].find({"_id": {"$in": list(some)}})) for some in places]
            return cls(
                covered,
                entries,
                digest(listed(each, covered) for each in database[REFERRALS].find({})),
                digest(each for each in database[EVENTS].find({}) if each["entry"] < covered),
            )


def digest(documents: Iterable[Document]) -> bytes:
    """The same for the same documents, in whatever order they come; those without entries are none."""
    total = count = 0
    for document in documents:
        if document.get("entries") != []:
            total += int.from_bytes(_digest(repr(sorted(document.items())).encode()), "big")
            count += 1
    return _digest(f"{count} {total}".encode())


def listed(document: Document, covered: int) -> Document:
    """A referral's entries among the first `covered`, in the log's order."""
    return {**document, "entries": sorted(place for place in document["entries"] if place < covered)}


def log_differences(before: LogFiles, after: LogFiles) -> list[str]:
    """What is not as it was. A log that has grown still begins with all that it had."""
    grown = after.tree.size > before.tree.size
    wrong = []
    if after.tree.size < before.tree.size:
        wrong.append(f"the log had {before.tree}, and has {after.tree}")
    elif LogReader(after.folder, after.tree.size).root(before.tree.size) != before.tree.root:
        wrong.append(f"the log's first {before.tree.size} entries have another root")
    elif not grown and after.tree != before.tree:
        wrong.append(f"the log had {before.tree}, and has {after.tree}")
    for path, was in sorted(before.digests.items()):
        # Only what is full stays for ever: of a log that has grown a partial tile may have gone.
        if path in MAY_DIFFER or (grown and (PARTIAL in path or path == tiles.CHECKPOINT)):
            continue
        if after.digests.get(path) != was:
            wrong.append(f"the log's {path} is not as it was")
    return wrong


def index_differences(before: IndexHeld, after: IndexHeld) -> list[str]:
    """What is not as it was; `after` of as many entries as `before`."""
    if not before.covered:
        return ["audit's index held nothing"]
    numbers = [number for number, was in enumerate(before.entries) if after.entries[number : number + 1] != [was]]
    wrong = [f"audit's entries {n * AT_ONCE} to {(n + 1) * AT_ONCE - 1} are not as they were" for n in numbers[:5]]
    wrong += ["audit's referrals are not as they were"] if before.referrals != after.referrals else []
    wrong += ["audit's events are not as they were"] if before.events != after.events else []
    return wrong


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:16]
