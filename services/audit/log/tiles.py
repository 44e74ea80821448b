"""Where tiles and entry bundles lie, and how a bundle holds its entries (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from services.audit.log.hashing import HASH_BYTES, TILE_WIDTH

CHECKPOINT = "checkpoint"
TILES = "tile"
ENTRIES = "entries"
LONGEST_ENTRY = 65_535
HIGHEST_LEVEL = 63
_PATH = re.compile(
    r"tile/(?P<level>[0-9]{1,2}|entries)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Where the tile of hashes lies."""
    return f"{TILES}/{level}/{_number(index)}{_partial(width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Where the bundle of entries lies."""
    return f"{TILES}/{ENTRIES}/{_number(index)}{_partial(width)}"


def levels(size: int) -> Iterator[tuple[int, int, int]]:
    """For each level of the tree of this size: the level, its full tiles, and the width of its partial tile or 0."""
    level, hashes = 0, size
    while hashes:
        full, width = divmod(hashes, TILE_WIDTH)
        yield level, full, width
        level, hashes = level + 1, full


def width_at(size: int, level: int, index: int) -> int:
    """How many hashes the tile has in the tree of this size; 0 where there is no such tile."""
    return max(0, min(TILE_WIDTH, (size >> (8 * level)) - index * TILE_WIDTH))


def split_hashes(tile: bytes) -> list[bytes]:
    """The hashes of a tile."""
    return [tile[start : start + HASH_BYTES] for start in range(0, len(tile), HASH_BYTES)]


def pack(entries: Iterable[bytes]) -> bytes:
    """Entries as a bundle holds them, each behind its length. Raises OverflowError for one of 64 KiB or more."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError where it ends within one."""
    entries: list[bytes] = []
    start, end = 0, len(bundle)
    while start + 1 < end:
        after = start + 2 + (bundle[start] << 8 | bundle[start + 1])
        entries.append(bundle[start + 2 : after])
        start = after
    if start != end:
        raise ValueError("the bundle ends within an entry")
    return entries


def _number(index: int) -> str:
    text = str(index)
    text = text.zfill(-(-len(text) // 3) * 3)
    parts: Sequence[str] = [text[start : start + 3] for start in range(0, len(text), 3)]
    return "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])


def _partial(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"


def parse_path(path: str) -> tuple[int, int, int] | None:
    """The level (0 for a bundle), index and width that a path says; None where it is of no tile and no bundle."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    level = 0 if found["level"] == ENTRIES else int(found["level"])
    index = int(found["number"].replace("x", "").replace("/", ""))
    width = int(found["width"] or TILE_WIDTH)
    make = bundle_path(index, width) if found["level"] == ENTRIES else tile_path(level, index, width)
    return (level, index, width) if make == path and level <= HIGHEST_LEVEL else None
