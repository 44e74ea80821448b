"""The file `positions`: up to where each partition is in the log, for the last tree and the one before it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.audit.log.checkpoint import Tree
from services.audit.log.leaf import Place

FILE = "positions"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Positions:
    """The next offset of each partition, once the log is this tree."""

    tree: Tree
    next: Mapping[Place, int]


def encode(states: Sequence[Positions]) -> bytes:
    """The file's bytes, newest state first; the same states always give the same bytes."""
    document = {
        "version": _VERSION,
        "states": [
            {
                "size": state.tree.size,
                "root": state.tree.root.hex(),
                "next": [[topic_id, partition, offset] for (topic_id, partition), offset in sorted(state.next.items())],
            }
            for state in states
        ],
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii") + b"\n"


def parse(data: bytes) -> list[Positions]:
    """The states; none where the file is not one that `encode` wrote, since the log itself says it all again."""
    try:
        document = json.loads(data)
        states = [_state(found) for found in document["states"]]
    except (ValueError, KeyError, TypeError):
        return []
    return states if encode(states) == data else []


def _state(found: Mapping[str, Any]) -> Positions:
    places = {(str(topic_id), int(partition)): int(offset) for topic_id, partition, offset in found["next"]}
    return Positions(Tree(int(found["size"]), bytes.fromhex(found["root"])), places)
