"""Verifies a log, streaming: every byte of its files against its checkpoint, and every leaf against its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.audit.log import disk, positions, tiles
from services.audit.log.checkpoint import Tree, open_checkpoint
from services.audit.log.comparing import Comparison, Topics
from services.audit.log.diverged import Diverged
from services.audit.log.hashing import HASH_BYTES, TILE_WIDTH, leaf_hashes
from services.audit.log.leaf import Follower, NoLeaf, Skipped
from services.audit.log.note import NoteRefused, Verifier
from services.audit.log.reader import LogBroken, LogReader
from services.audit.log.recovery import belongs
from services.audit.log.resuming import Progress

BUNDLES_AT_ONCE = 64
"""Records are asked for, and the progress is told and kept, after so many bundles."""
_LONGEST_BUNDLE = TILE_WIDTH * (2 + tiles.LONGEST_ENTRY)


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found in order."""

    tree: Tree
    resumed_at: int
    """Entries that an earlier run had verified."""
    records: int
    """Leaves that were compared with their records; 0 where no topics were given."""
    expired: int
    """Leaves whose record the topic no longer keeps."""


def verify(
    folder: Path,
    log: Verifier,
    *,
    topics: Topics | None = None,
    seen: Sequence[Tree] = (),
    witnesses: Sequence[Verifier] = (),
    quorum: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
    state: Path | None = None,
) -> Verified:
    """Verify the log in the folder; with `topics` also that every leaf has its record and every record its leaf; with
    `seen`, trees that it had before, also that it grew from each of them: nothing else shows that it went back whole,
    but the cosignatures of `quorum` of the witnesses that the checkpoint must then carry.

    `progress(done, of)` hears of entries. With `state`, a file that is not there yet or one that an earlier run left,
    a run that was stopped is gone on with. Raises Diverged at the first thing that is wrong, with its place.
    """
    verification = _Verification(folder, log, topics, state)
    verification.cosigned(log, witnesses, quorum)
    verified = verification.run(progress)
    verification.grew_from(seen)
    return verified


class _Verification:
    def __init__(self, folder: Path, log: Verifier, topics: Topics | None, state: Path | None) -> None:
        self._folder = folder
        self._live = disk.is_written(folder)
        bounds = topics.bounds() if topics else {}
        self._states = _positions(folder)
        self._note = _read(folder, tiles.CHECKPOINT)
        try:
            checkpoint, _ = open_checkpoint(self._note, log)
        except NoteRefused as error:
            raise Diverged(tiles.CHECKPOINT, str(error)) from None
        self._tree = checkpoint.tree
        self._done = Progress.load(state, str(log), self._tree.size, compared=topics is not None)
        self._follower = Follower(self._done.positions)
        self._comparison = Comparison(topics, bounds, self._done) if topics else None

    def run(self, progress: Callable[[int, int], None]) -> Verified:
        tree, done = self._tree, self._done
        resumed_at = done.edge.size
        edges = self._account_for_files()
        bundles = -(-tree.size // TILE_WIDTH)
        for number in range(resumed_at // TILE_WIDTH, bundles):
            self._bundle(number)
            if (number + 1) % BUNDLES_AT_ONCE == 0 and done.edge.size % TILE_WIDTH == 0:
                self._reached(progress)
        self._reached(progress, last=True)
        self._right_edge(edges)
        if done.edge.root() != tree.root:
            raise Diverged(tiles.CHECKPOINT, f"it signs {tree}, but the tiles make {Tree(tree.size, done.edge.root())}")
        self._check_positions()
        if self._comparison is not None:
            self._comparison.finish(self._follower.positions())
        return Verified(tree, resumed_at, done.records, done.expired)

    def cosigned(self, log: Verifier, witnesses: Sequence[Verifier], quorum: int) -> None:
        """That so many of the witnesses cosigned the checkpoint."""
        try:
            _, note = open_checkpoint(self._note, log, witnesses)
        except NoteRefused as error:
            raise Diverged(tiles.CHECKPOINT, str(error)) from None
        found = len(note.verified) - 1
        if found < quorum:
            raise Diverged(tiles.CHECKPOINT, f"cosigned by {found} of the witnesses, not {quorum}")

    def grew_from(self, seen: Sequence[Tree]) -> None:
        """Once its tiles are verified: that each of these trees is its beginning."""
        for tree in seen:
            if tree.size > self._tree.size:
                raise Diverged(tiles.CHECKPOINT, f"the log went back: it was {tree}, and now is {self._tree}")
            if self._root(tree.size) != tree.root:
                raise Diverged(tiles.CHECKPOINT, f"the log was forked: {tree} was seen, which is not its beginning")

    def _root(self, size: int) -> bytes:
        try:
            return LogReader(self._folder, self._tree.size).root(size)
        except LogBroken as error:
            path, _, what = str(error).partition(": ")
            raise Diverged(path, what) from None

    def _reached(self, progress: Callable[[int, int], None], *, last: bool = False) -> None:
        if self._comparison is not None:
            self._comparison.compare()
        progress(self._done.edge.size, self._tree.size)
        if not last:
            self._done.positions = self._follower.positions()
            self._done.save()

    def _account_for_files(self) -> list[str]:
        """Every file must be one that the checkpoint names, or an earlier partial one that has not been removed yet.

        Returns the latter.
        """
        older: list[str] = []
        for path in disk.files(self._folder):
            placed = tiles.parse_path(path)
            if placed is not None and placed[2] < tiles.width_at(self._tree.size, placed[0], placed[1]):
                older.append(path)
            elif not belongs(path, self._tree.size) and not self._being_written(path):
                raise Diverged(path, "not accounted for by the checkpoint")
        if (self._folder / disk.LOCK).exists() and _read(self._folder, disk.LOCK):
            raise Diverged(disk.LOCK, "must be empty")
        return older

    def _being_written(self, path: str) -> bool:
        """A writer at work has files of the next tree."""
        return self._live and (path.endswith(disk.NEW) or path.startswith(f"{tiles.TILES}/"))

    def _bundle(self, number: int) -> None:
        width = tiles.width_at(self._tree.size, 0, number)
        path = tiles.bundle_path(number, width)
        try:
            entries = tiles.unpack(self._read(path, tiles.bundle_path(number)))
        except ValueError as error:
            raise Diverged(path, str(error)) from None
        if len(entries) != width and not (self._live and len(entries) > width):
            raise Diverged(path, f"{len(entries)} entries, not {width}")
        del entries[width:]
        hashes = leaf_hashes(entries)
        self._same_tile(0, number, hashes)
        for tile in self._done.edge.extend(hashes):
            if tile.level and len(tile.hashes) == TILE_WIDTH:
                self._same_tile(*tile)
        self._follow(number * TILE_WIDTH, entries)

    def _follow(self, first: int, entries: Sequence[bytes]) -> None:
        self._check_earlier_positions(first, entries)
        self._advance(self._follower, first, entries)
        if self._comparison is not None:
            self._comparison.add(first, entries)

    def _advance(self, follower: Follower, first: int, entries: Sequence[bytes]) -> None:
        follow, index = follower.follow, first
        try:
            for entry in entries:
                follow(entry)
                index += 1
        except (NoLeaf, Skipped) as error:
            raise Diverged(f"entry {index}", str(error)) from None

    def _same_tile(self, level: int, number: int, hashes: Sequence[bytes]) -> None:
        path = tiles.tile_path(level, number, len(hashes))
        found, made = self._read(path, tiles.tile_path(level, number)), b"".join(hashes)
        if found == made or (self._live and found.startswith(made)):
            return
        if len(found) != len(made):
            raise Diverged(path, f"{len(found)} bytes, not {len(made)}")
        within = next(place for place, hashed in enumerate(tiles.split_hashes(found)) if hashed != hashes[place])
        below = "entry" if level == 0 else f"tile at level {level - 1}"
        raise Diverged(path, f"hash {within} is not that of {below} {number * TILE_WIDTH + within}")

    def _right_edge(self, older: Sequence[str]) -> None:
        """The tiles that are not full, and earlier partial files, which are the beginnings of what followed them."""
        for level, full, width in tiles.levels(self._tree.size):
            if level and width:
                self._same_tile(level, full, self._done.edge.partial(level))
        for path in older:
            if self._live and not (self._folder / path).exists():
                continue  # its full tile is there by now
            if self._read(path) != self._beginning(path):
                raise Diverged(path, "not the beginning of what followed it")

    def _beginning(self, path: str) -> bytes:
        level, number, width = tiles.parse_path(path) or (0, 0, 0)
        newest = tiles.width_at(self._tree.size, level, number)
        if path.startswith(f"{tiles.TILES}/{tiles.ENTRIES}/"):
            bundle = self._read(tiles.bundle_path(number, newest), tiles.bundle_path(number))
            return tiles.pack(tiles.unpack(bundle)[:width])
        if newest == TILE_WIDTH:
            return self._read(tiles.tile_path(level, number))[: width * HASH_BYTES]
        return b"".join(self._done.edge.partial(level)[:width])

    def _check_earlier_positions(self, first: int, entries: Sequence[bytes]) -> None:
        """The file also holds the positions of the tree before, somewhere in these entries."""
        for state in self._states:
            if first <= state.tree.size < first + len(entries):
                follower = Follower(self._follower.positions())
                self._advance(follower, first, entries[: state.tree.size - first])
                self._same_positions(state, follower)

    def _check_positions(self) -> None:
        newest = self._states[0] if self._states else None
        if newest is None or (self._live and newest.tree.size != self._tree.size):
            return
        if newest.tree != self._tree:
            raise Diverged(positions.FILE, f"it is of {newest.tree}, the checkpoint of {self._tree}")
        self._same_positions(newest, self._follower)

    def _same_positions(self, state: positions.Positions, follower: Follower) -> None:
        if dict(state.next) != follower.positions():
            raise Diverged(positions.FILE, f"at {state.tree.size} entries it does not say what the log says")
        if self._root(state.tree.size) != state.tree.root:
            raise Diverged(positions.FILE, f"its root at {state.tree.size} entries is not the log's")

    def _read(self, path: str, instead: str = "") -> bytes:
        try:
            return _read(self._folder, path)
        except Diverged:
            if self._live and instead and instead != path:
                return _read(self._folder, instead)
            raise


def _positions(folder: Path) -> list[positions.Positions]:
    try:
        data = (folder / positions.FILE).read_bytes()
    except FileNotFoundError:
        return []  # a copy of what is served has none
    states = positions.parse(data)
    sizes = [state.tree.size for state in states]
    if not states or sizes != sorted(set(sizes), reverse=True):
        raise Diverged(positions.FILE, "not as it was written")
    return states


def _read(folder: Path, path: str) -> bytes:
    try:
        with (folder / path).open("rb") as file:
            return file.read(_LONGEST_BUNDLE + 1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise Diverged(path, "missing" if missing else f"cannot be read: {error.strerror}") from None
