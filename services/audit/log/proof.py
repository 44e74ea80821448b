"""Receipts (c2sp.org/tlog-proof), which verify offline with the log's verifier key alone, and consistency proofs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.audit.log import hashing
from services.audit.log.checkpoint import Checkpoint, open_checkpoint
from services.audit.log.hashing import HASH_BYTES, leaf_hash
from services.audit.log.note import NoteRefused, Verifier
from services.audit.log.reader import LogReader

_HEADER = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")


class ReceiptRefused(Exception):
    """The receipt proves nothing; the message says why."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a verified receipt proves: this leaf lies at this index of the log that signed this checkpoint."""

    leaf: bytes
    index: int
    checkpoint: Checkpoint


def receipt(reader: LogReader, index: int, checkpoint: bytes) -> bytes:
    """The receipt of the entry: the leaf itself is its extra data, so that nothing else is needed to verify it.

    `checkpoint` is the signed note of the reader's tree. Raises ValueError for an index that the tree does not have,
    LogBroken for a log that is damaged there.
    """
    proof = hashing.inclusion_proof(index, reader.size, reader.tree)
    lines = [_HEADER, f"extra {_encode(reader.entry(index))}", f"index {index}", *map(_encode, proof), "", ""]
    return "\n".join(lines).encode("ascii") + checkpoint


def verify_receipt(data: bytes, log: Verifier, witnesses: Sequence[Verifier] = (), quorum: int = 0) -> Receipt:
    """What the receipt proves, with cosignatures by at least `quorum` of the witnesses. Raises ReceiptRefused."""
    head, blank, note = data.partition(b"\n\n")
    if not blank:
        raise ReceiptRefused("no receipt: must be the proof, an empty line and a checkpoint")
    leaf, index, proof = _parse(head)
    try:
        checkpoint, opened = open_checkpoint(note, log, witnesses)
    except NoteRefused as error:
        raise ReceiptRefused(f"its checkpoint: {error}") from None
    cosigned = sum(found.name != log.name for found in opened.verified)
    if cosigned < quorum:
        raise ReceiptRefused(f"its checkpoint has cosignatures by {cosigned} of the witnesses, not {quorum}")
    if not hashing.included(leaf_hash(leaf), index, checkpoint.tree.size, proof, checkpoint.tree.root):
        raise ReceiptRefused(f"the proof does not lead from the leaf at {index} to the checkpoint's root")
    return Receipt(leaf, index, checkpoint)


def consistency(reader: LogReader, first: int) -> list[bytes]:
    """The proof that the log of `first` entries is the beginning of the reader's."""
    return hashing.consistency_proof(first, reader.size, reader.tree)


def _parse(head: bytes) -> tuple[bytes, int, list[bytes]]:
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ReceiptRefused("no receipt: not ASCII") from None
    if len(lines) < 3 or lines[0] != _HEADER or not lines[1].startswith("extra "):
        raise ReceiptRefused(f"no receipt: must begin with {_HEADER}, the leaf as extra data, and its index")
    index = _INDEX.fullmatch(lines[2])
    if index is None or len(lines) > 3 + _MOST_HASHES:
        raise ReceiptRefused(f"no receipt: the third line must be the index, followed by at most {_MOST_HASHES} hashes")
    proof = [_decode(line) for line in lines[3:]]
    if any(len(found) != HASH_BYTES for found in proof):
        raise ReceiptRefused(f"no receipt: a hash has {HASH_BYTES} bytes")
    return _decode(lines[1].removeprefix("extra ")), int(index[1]), proof


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ReceiptRefused("no receipt: not base64") from None
    if _encode(raw) != text:
        raise ReceiptRefused("no receipt: not canonical base64")
    return raw
