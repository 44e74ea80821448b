"""What the log has published: its checkpoint, tiles and bundles, and the proofs made from them."""

from __future__ import annotations

from pathlib import Path

from services.audit.log import proof, tiles
from services.audit.log.checkpoint import Tree, open_checkpoint
from services.audit.log.hashing import HASH_BYTES
from services.audit.log.note import Verifier
from services.audit.log.reader import LogReader
from services.chassis.engine.away import Away


class Published:
    """Reads the folder while the writer writes it. Thread-safe: every question reads anew."""

    def __init__(self, folder: Path, verifier: Verifier) -> None:
        self._folder = folder
        self._verifier = verifier

    def checkpoint(self) -> tuple[bytes, Tree]:
        """The signed note and its tree. Raises Away where there is none yet."""
        try:
            note = (self._folder / tiles.CHECKPOINT).read_bytes()
        except FileNotFoundError:
            raise Away("log", "nothing is signed yet") from None
        return note, open_checkpoint(note, self._verifier)[0].tree

    def reader(self) -> LogReader:
        """Reads the tree that the checkpoint names."""
        return LogReader(self._folder, self.checkpoint()[1].size)

    def file(self, path: str) -> bytes | None:
        """What is there for anyone: the checkpoint, or a tile of hashes; None for all else."""
        if path == tiles.CHECKPOINT:
            return self.checkpoint()[0]
        placed = tiles.parse_path(path)
        if placed is None or path.startswith(f"{tiles.TILES}/{tiles.ENTRIES}/"):
            return None
        level, index, width = placed
        _, tree = self.checkpoint()
        if width > tiles.width_at(tree.size, level, index):
            return None
        # A partial tile that was superseded is the beginning of the one that followed it.
        return LogReader(self._folder, tree.size).tile(level, index)[: width * HASH_BYTES]

    def bundle(self, index: int) -> tuple[list[bytes], bytes]:
        """The entries of a bundle, none beyond the tree, and the checkpoint that covers them."""
        note, tree = self.checkpoint()
        has = tiles.width_at(tree.size, 0, index)
        return LogReader(self._folder, tree.size).bundle(index) if has else [], note

    def receipt(self, place: int) -> bytes:
        """The receipt of the entry at this place. Raises ValueError where the tree has none."""
        note, tree = self.checkpoint()
        return proof.receipt(LogReader(self._folder, tree.size), place, note)

    def consistency(self, first: int, second: int) -> list[bytes]:
        """That the tree of `first` entries is the beginning of that of `second`. Raises ValueError for other sizes."""
        _, tree = self.checkpoint()
        if second > tree.size:
            raise ValueError(f"the log has {tree.size} entries")
        return proof.consistency(LogReader(self._folder, second), first)
