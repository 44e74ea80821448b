"""Merkle tree hashes as in RFC 6962, section 2.1; the right edge of a growing tree; proofs and their verification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()

RangeHash = Callable[[int, int], bytes]
"""Gives the tree hash of the leaves [start, end)."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + data).digest()


def leaf_hashes(leaves: Sequence[bytes]) -> list[bytes]:
    """The hash of each leaf."""
    return [sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes, or over the roots of equal full trees; any number of them."""
    if not hashes:
        return EMPTY_ROOT
    edge = Edge()
    edge.extend(hashes)
    return edge.root()


class Tile(NamedTuple):
    """Consecutive hashes of one level; `hashes` has 256 of them, fewer only at the right edge."""

    level: int
    number: int
    hashes: list[bytes]


class Edge:
    """The right edge of a tree: for each tile level the tile that is not full yet, with the rows within it.

    It is all that appending needs, so memory does not grow with the tree; and each hash is computed once.
    """

    def __init__(self) -> None:
        self._levels: list[list[list[bytes]]] = []
        self._full: list[int] = []
        """How many full tiles each level has."""
        self.size = 0

    @classmethod
    def at(cls, size: int, partial: Callable[[int, int, int], list[bytes]]) -> Edge:
        """The edge of a tree of this size; `partial(level, index, width)` gives the hashes of a partial tile."""
        edge = cls()
        edge.size = size
        level, hashes = 0, size
        while hashes:
            index, width = divmod(hashes, TILE_WIDTH)
            rows = edge._rows(level)
            edge._full[level] = index
            if width:
                rows[0] += partial(level, index, width)
                _grow(rows)
            level, hashes = level + 1, index
        return edge

    def extend(self, hashes: Sequence[bytes]) -> list[Tile]:
        """Append leaf hashes. Returns every tile that changed, once, lower levels first."""
        self.size += len(hashes)
        tiles: list[Tile] = []
        level = 0
        while hashes:
            hashes = self._extend(level, hashes, tiles)
            level += 1
        return tiles

    def root(self) -> bytes:
        """The root of the whole tree."""
        root: bytes | None = None
        for rows in self._levels:
            for row in rows[:TILE_HEIGHT]:
                if len(row) % 2:
                    root = row[-1] if root is None else node_hash(row[-1], root)
        return EMPTY_ROOT if root is None else root

    def partial(self, level: int) -> list[bytes]:
        """The hashes of the tile that is not full at this level; none where there is no such tile."""
        return self._levels[level][0] if level < len(self._levels) else []

    def _extend(self, level: int, hashes: Sequence[bytes], tiles: list[Tile]) -> list[bytes]:
        rows, done, filled = self._rows(level), 0, []
        while done < len(hashes):
            some = hashes[done : done + TILE_WIDTH - len(rows[0])]
            done += len(some)
            rows[0] += some
            _grow(rows)
            tiles.append(Tile(level, self._full[level], rows[0]))
            if len(rows[0]) == TILE_WIDTH:
                filled.append(rows[TILE_HEIGHT][0])
                self._full[level] += 1
                rows = self._levels[level] = _empty_rows()
        return filled

    def _rows(self, level: int) -> list[list[bytes]]:
        if level == len(self._levels):
            self._levels.append(_empty_rows())
            self._full.append(0)
        return self._levels[level]


def _empty_rows() -> list[list[bytes]]:
    return [[] for _ in range(TILE_HEIGHT + 1)]


def _grow(rows: list[list[bytes]]) -> None:
    """Add to each row within a tile the parents of the pairs that became whole below it."""
    for height in range(TILE_HEIGHT):
        below, above = rows[height], rows[height + 1]
        start, end = 2 * len(above), len(below) & ~1
        if start == end:
            return
        lefts, rights = below[start:end:2], below[start + 1 : end : 2]
        above += [sha256(b"\x01" + left + right).digest() for left, right in zip(lefts, rights, strict=True)]


def split(size: int) -> int:
    """The largest power of two below `size`, which is at least 2: where a tree's root parts its leaves."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, tree: RangeHash) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of the tree of `size` leaves, from below."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index}: a tree of {size} leaves does not have it")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(tree(middle, end))
            end = middle
        else:
            proof.append(tree(start, middle))
            start = middle
    return proof[::-1]


def consistency_proof(first: int, second: int, tree: RangeHash) -> list[bytes]:
    """The hashes that show the tree of `first` leaves to be the beginning of that of `second`."""
    if not 0 <= first <= second:
        raise ValueError(f"no consistency from {first} to {second} leaves: the first must be at most the second")
    if first in (0, second):
        return []
    proof: list[bytes] = []
    start, end, known = 0, second, True
    while first != end:
        middle = start + split(end - start)
        if first <= middle:
            proof.append(tree(middle, end))
            end = middle
        else:
            proof.append(tree(start, middle))
            start, known = middle, False
    if not known:
        proof.append(tree(start, end))
    return proof[::-1]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf hash at `index` to the root of the tree of `size` leaves."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    node, last, reached = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node % 2 or node == last:
            reached = node_hash(sibling, reached)
            while node and node % 2 == 0:  # a right edge without sibling at these levels
                node, last = node >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and reached == root


def consistent(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether the proof shows that the tree of `first` leaves is the beginning of that of `second`."""
    if not 0 <= first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root and (first > 0 or first_root == EMPTY_ROOT)
    if not _are_hashes(first_root, second_root, *proof):
        return False
    if first == 0:
        return not proof and first_root == EMPTY_ROOT
    path = list(proof) if first & (first - 1) else [first_root, *proof]
    if not path:
        return False
    node, last = first - 1, second - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node and node % 2 == 0:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _are_hashes(*hashes: bytes) -> bool:
    return all(len(found) == HASH_BYTES for found in hashes)
