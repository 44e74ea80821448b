"""How far a verification came, so that a stopped one is gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from services.audit.log.hashing import TILE_WIDTH, Edge
from services.audit.log.leaf import Place

_VERSION = 1


class Progress:
    """The edge and the positions of what was verified: the root at the end proves them along with the rest."""

    def __init__(self, path: Path | None, log: str, *, compared: bool) -> None:
        self._path = path
        self._log = log
        self._compared = compared
        self.edge = Edge()
        self.positions: Mapping[Place, int] = {}
        self.records = 0
        self.expired = 0

    @classmethod
    def load(cls, path: Path | None, log: str, size: int, *, compared: bool) -> Progress:
        """What an earlier run of the same kind left for this log; from the beginning where there is none."""
        progress = cls(path, log, compared=compared)
        if path is None or not path.exists():
            return progress
        try:
            found = json.loads(path.read_bytes())
            same = (found["version"], found["log"], found["compared"]) == (_VERSION, log, compared)
            if same and found["size"] <= size and found["size"] % TILE_WIDTH == 0:
                rows = [[bytes.fromhex(hashed) for hashed in row] for row in found["edge"]]
                progress.edge = Edge.at(found["size"], lambda level, index, width: rows[level][:width])
                progress.positions = {(topic, partition): offset for topic, partition, offset in found["next"]}
                progress.records, progress.expired = found["records"], found["expired"]
        except (ValueError, KeyError, TypeError, IndexError):
            raise ValueError(f"{path}: not the state of a verification; give another file, or remove it") from None
        return progress

    def save(self) -> None:
        """Keep it; only between full bundles."""
        if self._path is None:
            return
        levels: list[list[str]] = []
        size = self.edge.size
        while size:
            levels.append([hashed.hex() for hashed in self.edge.partial(len(levels))])
            size //= TILE_WIDTH
        document = {
            "version": _VERSION,
            "log": self._log,
            "compared": self._compared,
            "size": self.edge.size,
            "edge": levels,
            "next": [[topic, partition, offset] for (topic, partition), offset in self.positions.items()],
            "records": self.records,
            "expired": self.expired,
        }
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(json.dumps(document))
        new.rename(self._path)
