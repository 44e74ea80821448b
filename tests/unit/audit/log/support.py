"""What tests of the log share: a key, leaves that follow on each other, and logs made of them."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.log.checkpoint import Tree
from services.audit.log.disk import Disk
from services.audit.log.leaf import Batch, Leaf, Place, batch_of
from services.audit.log.memory import CallbackMemory, Memory
from services.audit.log.note import Signer
from services.audit.log.writer import Writer

NAME = "log.test.invalid/referrals"
SIGNER = Signer(NAME, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VERIFIER = SIGNER.verifier
TOPIC_ID = "6c9f2a58-0f0b-4a4e-9d7c-3f1c7a1d2b90"
PARTITIONS = 3


def unsynced(folder: Path) -> Disk:
    """A log's folder whose syncs are left out: no test can tell, but for its time."""
    return Disk(folder, fsync=lambda descriptor: None)


def a_writer(folder: Path, *memories: Memory, disk: Disk | None = None) -> Writer:
    """A writer of the log in the folder."""
    return Writer(folder, SIGNER, memories, disk=disk or unsynced(folder))


class Records:
    """An endless topic: its records' leaves, each partition's offsets without a gap."""

    def __init__(self, kind: str = "record") -> None:
        self._kind = kind
        self._next = [0] * PARTITIONS
        self.made: dict[Place, list[bytes]] = {(TOPIC_ID, partition): [] for partition in range(PARTITIONS)}

    def batch(self, count: int) -> Batch:
        """The batch of the next records."""
        leaves = [self._leaf(number) for number in range(count)]
        batch = batch_of(leaves)
        for leaf, encoded in zip(leaves, batch.leaves, strict=True):
            self.made[leaf.topic_id, leaf.partition].append(encoded)
        return batch

    def _leaf(self, number: int) -> Leaf:
        partition = number % PARTITIONS
        offset = self._next[partition]
        self._next[partition] += 1
        digest = hashlib.sha256(f"{self._kind} {partition} {offset}".encode()).digest()
        return Leaf(
            topic="referrals.intake.v1",
            topic_id=TOPIC_ID,
            partition=partition,
            offset=offset,
            time=1_795_374_854_123 + offset,
            sha256=digest,
            event_id=str(uuid.UUID(bytes=digest[:16])),
            type="safeguarding.v1.ConcernRaised",
            referral_id=str(uuid.UUID(bytes=digest[16:])),
            actor="officer/x4021",
        )


class Remembering:
    """A memory in memory."""

    def __init__(self) -> None:
        self.tree: Tree | None = None
        self.all: list[Tree] = []

    def memory(self, name: str = "the store") -> Memory:
        """As a writer takes it."""
        return CallbackMemory(name, lambda: self.tree, self.remember)

    def remember(self, tree: Tree) -> None:
        """Keep it."""
        self.tree = tree
        self.all.append(tree)


def a_log(folder: Path, sizes: Sequence[int], records: Records | None = None) -> Tree:
    """A log of batches of these sizes, closed."""
    records = records or Records()
    with a_writer(folder) as writer:
        for size in sizes:
            writer.append(records.batch(size))
        return writer.tree


def copied(folder: Path, to: Path) -> Path:
    """A copy of the log; what was at `to` is gone."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(folder, to, copy_function=shutil.copyfile)
    return to
