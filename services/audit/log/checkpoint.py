"""A checkpoint: the size and root of the log, as the text of a signed note (c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.log.hashing import EMPTY_ROOT, HASH_BYTES
from services.audit.log.note import Note, NoteRefused, Verifier, open_note

_TEXT = re.compile(r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[^\n]+)\n")


@dataclass(frozen=True, slots=True)
class Tree:
    """How many leaves a tree has, and its root."""

    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.size} entries with root {base64.b64encode(self.root).decode('ascii')}"


EMPTY = Tree(0, EMPTY_ROOT)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log says of itself; ours never has extension lines."""

    origin: str
    tree: Tree

    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.tree.size}\n{base64.b64encode(self.tree.root).decode('ascii')}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Raises NoteRefused for what is no checkpoint, or has extension lines."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise NoteRefused("no checkpoint: must be the origin, the size and the root, a line each")
        try:
            root = base64.b64decode(found["root"], validate=True)
        except (binascii.Error, ValueError):
            raise NoteRefused("no checkpoint: the root is not base64") from None
        checkpoint = cls(found["origin"], Tree(int(found["size"]), root))
        if len(root) != HASH_BYTES or checkpoint.text() != text:
            raise NoteRefused("no checkpoint: the root must be 32 bytes in canonical base64")
        return checkpoint


def open_checkpoint(note: bytes, log: Verifier, witnesses: Sequence[Verifier] = ()) -> tuple[Checkpoint, Note]:
    """The checkpoint that this log signed, under its own name. Raises NoteRefused."""
    opened = open_note(note, [log, *witnesses])
    if not any((found.name, found.key_id) == (log.name, log.key_id) for found in opened.verified):
        raise NoteRefused(f"{log.name} did not sign it")
    checkpoint = Checkpoint.parse(opened.text)
    if checkpoint.origin != log.name:
        raise NoteRefused(f"it is of the log {checkpoint.origin}, not {log.name}")
    return checkpoint, opened
