"""Arm: the hashes of a tree of so many leaves: by audit's log with its tiles, by bare hashlib calls, by pymerkle."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from hashlib import sha256

from services.audit.log.hashing import Edge, leaf_hashes
from tests.performance.process import most_resident

BATCH = 1_000


def ours(leaves: Sequence[bytes]) -> None:
    """As the writer does it: leaf hashes, then the edge, which gives every tile that changed, joined."""
    edge = Edge()
    for start in range(0, len(leaves), BATCH):
        for tile in edge.extend(leaf_hashes(leaves[start : start + BATCH])):
            b"".join(tile.hashes)
    edge.root()


def bare(leaves: Sequence[bytes]) -> None:
    """The same number of hashes of the same sizes, and nothing else: what no program in Python can go below."""
    hashed = b""
    for leaf in leaves:
        hashed = sha256(b"\x00" + leaf).digest()
    for _ in range(len(leaves) - 1):
        sha256(b"\x01" + hashed + hashed).digest()


def pymerkle(leaves: Sequence[bytes]) -> None:
    """The package's tree in memory."""
    tree = importlib.import_module("pymerkle").InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        tree.append_entry(leaf)
    tree.get_root()


KINDS: dict[str, Callable[[Sequence[bytes]], None]] = {"ours": ours, "bare": bare, "pymerkle": pymerkle}


def main() -> None:
    settings = json.loads(sys.stdin.read())
    leaves = [str(number).encode().ljust(400, b"\0") for number in range(settings["entries"])]
    cpu, began = time.process_time(), time.monotonic()
    KINDS[settings["kind"]](leaves)
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    found = {
        "per_second": len(leaves) / wall,
        "per_cpu": len(leaves) / cpu,
        "memory": most_resident(),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
