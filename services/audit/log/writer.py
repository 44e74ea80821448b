"""The one writer of a log: a batch is appended, made to last, remembered, signed and published, or nothing of it is."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from services.audit.log import positions, recovery, tiles
from services.audit.log.checkpoint import Checkpoint, Tree
from services.audit.log.disk import Disk
from services.audit.log.hashing import TILE_WIDTH, Edge, Tile, leaf_hashes
from services.audit.log.leaf import Batch, Place, Skipped
from services.audit.log.memory import Memory
from services.audit.log.note import Signature, Signer, add_signatures, sign
from services.audit.log.positions import Positions
from services.audit.log.reader import LogReader

_REMOVED_AT_ONCE = 16
"""Superseded files that go with each batch: more than a batch leaves behind, and few enough that nobody waits."""

Witness = Callable[[bytes, int], Iterable[Signature]]
"""Given a signed checkpoint and the size of the tree before it, gives the cosignatures that it got."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a batch lies: its first entry, and the tree that a checkpoint signs."""

    first: int
    tree: Tree


@dataclass(slots=True)
class _State:
    """What the writer knows of the published tree; in doubt it is read from the disk again."""

    edge: Edge
    tree: Tree
    bundle: bytes
    """The entries of the last bundle, as packed, where it is not full."""
    positions: Positions
    before: Positions | None


class Writer:
    """Appends to the log in a folder. One thread uses it; a second process is fenced off.

    The order of a batch is what makes it safe. Tiles and bundles are written and synced, then `positions`; then every
    memory learns the new tree; then its checkpoint is signed and renamed into place. Killed before the memories know,
    the batch never was; killed after, the next start signs just that tree. So two different trees of one size are
    never signed.
    """

    def __init__(
        self,
        folder: Path,
        signer: Signer,
        memories: Sequence[Memory] = (),
        *,
        witness: Witness | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Raises Fenced where another process writes it, LogRefused where it must not be continued."""
        self._disk = disk or Disk(folder)
        self._signer = signer
        self._memories = memories
        self._witness = witness
        self._lock = self._disk.lock()
        self._state: _State | None = None
        self._superseded: deque[str] = deque()
        """Folders of partial files whose full ones are published; they go a few files at a time."""
        try:
            self._state = self._recover()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take away what was superseded and is still there, and let another process write. Raises OSError."""
        if self._lock >= 0:
            try:
                while self.tidy():
                    pass
            finally:
                os.close(self._lock)
                self._lock = -1

    @property
    def tree(self) -> Tree:
        """The tree last published. Reads the disk again after a failure, as `append` does."""
        return self._ready().tree

    @property
    def positions(self) -> Mapping[Place, int]:
        """The next offset of each partition."""
        return self._ready().positions.next

    def append(self, batch: Batch) -> Appended:
        """Append the batch and return once its checkpoint is published.

        After any error the same batch may be given again, however often: it is in the log once.
        Raises OSError (a full disk, say) or what a memory raises, and then signs nothing; Skipped where offsets do
        not follow on those in the log; ValueError for a leaf of 64 KiB or more; LogRefused where, after an error, the
        log turns out to be another one.
        """
        state = self._ready()
        if any(len(leaf) > tiles.LONGEST_ENTRY for leaf in batch.leaves):
            raise ValueError(f"a leaf must be at most {tiles.LONGEST_ENTRY} bytes")
        if self._has(batch, state):
            return Appended(state.before.tree.size if state.before else 0, state.tree)
        if not batch.leaves:
            return Appended(state.tree.size, state.tree)
        self._state = None  # until all of it is done: whatever fails, the disk says how far it came
        try:
            self._state = self._publish_batch(batch, state)
        except BaseException:
            self._disk.forget()
            self._superseded.clear()  # found again with all else
            raise
        return Appended(state.tree.size, self._state.tree)

    def _has(self, batch: Batch, state: _State) -> bool:
        """Whether the batch is there already. A batch is there whole or not at all. Raises Skipped."""
        known = state.positions.next
        if all(known.get(place, 0) == start for place, (start, _) in batch.moves.items()):
            return False
        before = state.before.next if state.before else {}
        if all(
            known.get(place, 0) == until and before.get(place, 0) == start
            for place, (start, until) in batch.moves.items()
        ):
            return True
        place, start = next((place, start) for place, (start, _) in batch.moves.items() if known.get(place, 0) != start)
        raise Skipped(f"topic {place[0]} partition {place[1]}: offset {start} where {known.get(place, 0)} must follow")

    def _publish_batch(self, batch: Batch, state: _State) -> _State:
        changed = state.edge.extend(leaf_hashes(batch.leaves))
        bundle = self._write_bundles(batch.leaves, state)
        for tile in changed:
            self._disk.write(tiles.tile_path(tile.level, tile.number, len(tile.hashes)), b"".join(tile.hashes))
        self._disk.sync()
        tree = Tree(state.edge.size, state.edge.root())
        moved = {place: until for place, (_, until) in batch.moves.items()}
        reached = Positions(tree, {**state.positions.next, **moved})
        self._disk.replace(positions.FILE, positions.encode([reached, state.positions]))
        self._disk.sync_folder()
        for memory in self._memories:
            memory.remember(tree)
        self._publish(tree, state.tree.size)
        self._superseded.extend(_superseded_by(changed, state.tree.size))
        self.tidy()
        return _State(state.edge, tree, bundle, reached, state.positions)

    def _write_bundles(self, leaves: Sequence[bytes], state: _State) -> bytes:
        """Write every bundle that changes, once. Returns what the last one holds where it is not full."""
        index, width = divmod(state.tree.size, TILE_WIDTH)
        held, done = state.bundle, 0
        while done < len(leaves):
            some = leaves[done : done + TILE_WIDTH - width]
            held += tiles.pack(some)
            width += len(some)
            done += len(some)
            self._disk.write(tiles.bundle_path(index, width), held)
            if width == TILE_WIDTH:
                index, width, held = index + 1, 0, b""
        return held

    def _publish(self, tree: Tree, before: int) -> None:
        note = sign(Checkpoint(self._signer.verifier.name, tree).text(), self._signer)
        if self._witness is not None:
            note = add_signatures(note, self._witness(note, before))
        self._disk.replace(tiles.CHECKPOINT, note)
        self._disk.sync_folder()

    def tidy(self) -> bool:
        """Take away some of the files that were superseded; whether there are more. Raises OSError."""
        room = _REMOVED_AT_ONCE
        while self._superseded and room > 0:
            removed, more = self._disk.remove_from(self._superseded[0], room)
            room -= removed
            if not more:
                self._superseded.popleft()
        return bool(self._superseded)

    def _ready(self) -> _State:
        if self._lock < 0:
            raise ValueError("the writer is closed")
        if self._state is None:
            self._state = self._recover()
        return self._state

    def _recover(self) -> _State:
        disk = self._disk
        published = recovery.signed(disk, self._signer.verifier)
        tree = recovery.goes_on_from(disk, self._signer.verifier, self._memories)
        edge = recovery.edge_of(disk, tree)
        known = recovery.known_positions(disk, tree)
        current = Positions(tree, recovery.positions_at(disk, tree, known))
        before = next((state for state in known if state.tree.size < tree.size), None)
        if current not in known or known[0] != current:
            disk.replace(positions.FILE, positions.encode([current, *([before] if before else [])]))
            disk.sync_folder()
        for memory in self._memories:
            if memory.recall() != tree:
                memory.remember(tree)
        if published != tree or not (disk.root / tiles.CHECKPOINT).exists():
            self._publish(tree, published.size)
        recovery.tidy(disk, tree.size)
        self._superseded.clear()
        bundle = tiles.pack(recovery.last_bundle(disk, tree.size))
        return _State(edge, tree, bundle, current, before)

    def reader(self) -> LogReader:
        """Reads the tree last published."""
        return LogReader(self._disk.root, self.tree.size)


def _superseded_by(changed: Sequence[Tile], before: int) -> Iterator[str]:
    """The folders of the partials on the way to tiles that are full now."""
    for level, index, hashes in changed:
        if len(hashes) == TILE_WIDTH and tiles.width_at(before, level, index):
            yield f"{tiles.tile_path(level, index)}.p"
            if level == 0:
                yield f"{tiles.bundle_path(index)}.p"
