"""Reads a log: its checkpoint, the hash of any range, and its entries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from services.audit.log import tiles
from services.audit.log.hashing import HASH_BYTES, TILE_HEIGHT, TILE_WIDTH, RangeHash, node_hash, root_of, split

Read = Callable[[str], bytes]
"""Gives the file at a path of the log; raises FileNotFoundError."""
_TILES_KEPT = 1_000


class LogBroken(Exception):
    """A file of the log is missing or is not what it must be; the message begins with its path."""


class LogReader:
    """Reads what a checkpoint of `size` names. Of one thread."""

    def __init__(self, source: Path | Read, size: int) -> None:
        self._read: Read = (lambda path: (source / path).read_bytes()) if isinstance(source, Path) else source
        self.size = size
        self._kept: dict[tuple[int, int], bytes] = {}

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, as many as the tree of this size has."""
        if (level, index) not in self._kept:
            width = tiles.width_at(self.size, level, index)
            data = self._either(tiles.tile_path(level, index), tiles.tile_path(level, index, width), width)
            if len(data) < width * HASH_BYTES:
                raise LogBroken(f"{tiles.tile_path(level, index, width)}: {len(data)} bytes, not {width * HASH_BYTES}")
            if len(self._kept) >= _TILES_KEPT:
                self._kept.clear()
            self._kept[level, index] = data[: width * HASH_BYTES]
        return self._kept[level, index]

    def bundle(self, index: int) -> list[bytes]:
        """The entries of a bundle, as many as the tree of this size has."""
        width = tiles.width_at(self.size, 0, index)
        path = tiles.bundle_path(index, width)
        data = self._either(tiles.bundle_path(index), path, width)
        try:
            entries = tiles.unpack(data)
        except ValueError as error:
            raise LogBroken(f"{path}: {error}") from None
        if len(entries) < width:
            raise LogBroken(f"{path}: {len(entries)} entries, not {width}")
        return entries[:width]

    def entry(self, index: int) -> bytes:
        """The entry at this index."""
        if not 0 <= index < self.size:
            raise ValueError(f"entry {index}: the log has {self.size}")
        number, within = divmod(index, TILE_WIDTH)
        return self.bundle(number)[within]

    def entries(self, start: int = 0) -> Iterator[bytes]:
        """The entries from this index on, a bundle at a time."""
        first, within = divmod(start, TILE_WIDTH)
        for number in range(first, -(-self.size // TILE_WIDTH)):
            yield from self.bundle(number)[within:]
            within = 0

    def range_hash(self, start: int, end: int) -> bytes:
        """The tree hash of the leaves [start, end): any that a proof in a tree of at most this size names."""
        width = end - start
        if width & (width - 1) == 0 and start % width == 0:
            return self._node(width.bit_length() - 1, start // width)
        middle = start + split(width)
        return node_hash(self.range_hash(start, middle), self.range_hash(middle, end))

    def root(self, size: int) -> bytes:
        """The root when the log had so many leaves."""
        return self.range_hash(0, size) if size else root_of([])

    @property
    def tree(self) -> RangeHash:
        """What proofs are made from."""
        return self.range_hash

    def _node(self, height: int, index: int) -> bytes:
        level, within = divmod(height, TILE_HEIGHT)
        number, first = divmod(index << within, TILE_WIDTH)
        tile = self.tile(level, number)
        return root_of(tiles.split_hashes(tile[first * HASH_BYTES : (first + (1 << within)) * HASH_BYTES]))

    def _either(self, full: str, partial: str, width: int) -> bytes:
        """The partial file goes away once the full one is there."""
        for path in (partial, full) if width < TILE_WIDTH else (full,):
            try:
                return self._read(path)
            except FileNotFoundError:
                continue
        raise LogBroken(f"{partial}: missing")
