"""What a writer finds when it opens a log: which tree to go on from, after a kill, a torn write or a restored copy."""

from __future__ import annotations

from collections.abc import Sequence

from services.audit.log import disk as disks
from services.audit.log import positions, tiles
from services.audit.log.checkpoint import EMPTY, Tree, open_checkpoint
from services.audit.log.disk import Disk
from services.audit.log.hashing import TILE_WIDTH, Edge
from services.audit.log.leaf import Follower, NoLeaf, Place, Skipped
from services.audit.log.memory import Memory
from services.audit.log.note import NoteRefused, Verifier
from services.audit.log.positions import Positions
from services.audit.log.reader import LogBroken, LogReader


class LogRefused(Exception):
    """This log must not be continued; the message says what is wrong and names both trees where there are two."""


def signed(disk: Disk, log: Verifier) -> Tree:
    """The tree that the log's checkpoint names; EMPTY where there is no checkpoint."""
    try:
        checkpoint, _ = open_checkpoint(disk.read(tiles.CHECKPOINT), log)
    except FileNotFoundError:
        return EMPTY
    except NoteRefused as error:
        raise LogRefused(f"{disk.root}/{tiles.CHECKPOINT}: {error}") from None
    return checkpoint.tree


def remembered(memories: Sequence[Memory]) -> dict[str, Tree]:
    """What each place says was last signed."""
    return {memory.name: tree for memory in memories if (tree := memory.recall()) is not None}


def edge_of(disk: Disk, tree: Tree) -> Edge:
    """The right edge of the tree, from its tiles. Raises LogRefused where they do not make that tree."""

    def partial(level: int, index: int, width: int) -> list[bytes]:
        reader = LogReader(disk.root, tree.size)
        return tiles.split_hashes(reader.tile(level, index))[:width]

    try:
        edge = Edge.at(tree.size, partial)
    except LogBroken as error:
        raise LogRefused(f"{disk.root}: {error}") from None
    if edge.root() != tree.root:
        found = Tree(tree.size, edge.root())
        raise LogRefused(f"{disk.root}: the tiles make {found}, where {tree} was signed: they were changed")
    return edge


def goes_on_from(disk: Disk, log: Verifier, memories: Sequence[Memory]) -> Tree:
    """The tree to go on from: what was signed; or what was remembered just before it could be, and lies here whole.

    Raises LogRefused where any memory has another tree, or a larger one than the files make.
    """
    tree = signed(disk, log)
    known = remembered(memories)
    ahead = [(name, other) for name, other in known.items() if other.size > tree.size]
    for name, other in ahead:
        if other.size != max(found.size for _, found in ahead) or not _lies_here(disk, other):
            raise LogRefused(
                f"{disk.root} holds {tree}, but {name} remembers that {other} was signed: an old copy of the log was "
                "restored. Put the newest copy back; to go on from this one would fork the log"
            )
        tree = other
    reader = LogReader(disk.root, tree.size)
    for name, other in known.items():
        try:
            root = tree.root if other.size == tree.size else reader.root(other.size)
        except LogBroken as error:
            raise LogRefused(f"{disk.root}: {error}") from None
        if root != other.root:
            here = Tree(other.size, root)
            raise LogRefused(
                f"{disk.root} holds {tree}, which began with {here}, but {name} remembers that {other} was signed: "
                "this is another log. Put the right one back"
            )
    return tree


def _lies_here(disk: Disk, tree: Tree) -> bool:
    """A tree is remembered after its tiles and positions were synced, and before its checkpoint is signed."""
    if not any(state.tree == tree for state in _states(disk)):
        return False
    try:
        edge_of(disk, tree)
    except LogRefused:
        return False
    return True


def known_positions(disk: Disk, tree: Tree) -> list[Positions]:
    """What the file says of this tree and of those that it grew from, newest first."""
    reader = LogReader(disk.root, tree.size)
    known = [state for state in _states(disk) if state.tree.size <= tree.size]
    return [state for state in known if reader.root(state.tree.size) == state.tree.root]


def positions_at(disk: Disk, tree: Tree, known: Sequence[Positions]) -> dict[Place, int]:
    """The next offset of each partition: from the file; where it is missing or behind, from the log itself."""
    start = known[0].tree.size if known else 0
    follower = Follower(known[0].next if known else {})
    try:
        for index, leaf in enumerate(LogReader(disk.root, tree.size).entries(start), start):
            try:
                follower.follow(leaf)
            except (NoLeaf, Skipped) as error:
                raise LogRefused(f"{disk.root}: entry {index}: {error}") from None
    except LogBroken as error:
        raise LogRefused(f"{disk.root}: {error}") from None
    return follower.positions()


def last_bundle(disk: Disk, size: int) -> list[bytes]:
    """The entries of the bundle that is not full."""
    if size % TILE_WIDTH == 0:
        return []
    try:
        return LogReader(disk.root, size).bundle(size // TILE_WIDTH)
    except LogBroken as error:
        raise LogRefused(f"{disk.root}: {error}") from None


def tidy(disk: Disk, size: int) -> int:
    """Remove what a killed writer left beyond the tree, and partials whose full tile is there. Returns how many."""
    surplus = [path for path in disks.files(disk.root) if not belongs(path, size)]
    for path in surplus:
        if path.endswith("/"):
            disk.remove_folder(path[:-1])
        else:
            disk.remove(path)
    return len(surplus)


def belongs(path: str, size: int) -> bool:
    """Whether a log of this size may have this file. Partials of the last tiles stay until the full tile is there."""
    if path in (tiles.CHECKPOINT, positions.FILE, disks.LOCK):
        return True
    placed = tiles.parse_path(path)
    if placed is None:
        return False
    level, index, width = placed
    has = tiles.width_at(size, level, index)
    return width == has if has == TILE_WIDTH else width <= has


def _states(disk: Disk) -> list[Positions]:
    try:
        return positions.parse(disk.read(positions.FILE))
    except FileNotFoundError:
        return []
