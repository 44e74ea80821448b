"""Where else it is kept what was last signed, so that an old copy of the log is not continued."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.audit.log.checkpoint import Tree


class Memory(Protocol):
    """One place outside the log's folder. Errors go to whoever appends, and nothing is signed."""

    @property
    def name(self) -> str:
        """What the place is called in messages."""

    def recall(self) -> Tree | None:
        """The tree last remembered; None where there is none yet."""

    def remember(self, tree: Tree) -> None:
        """Return once it is kept so that it lasts."""


@dataclass(frozen=True, slots=True)
class CallbackMemory:
    """A memory made of two functions, such as those of a store."""

    name: str
    recall: Callable[[], Tree | None]
    remember: Callable[[Tree], None]


class FileMemory:
    """A file, for a second place: another disk, or a mount that backups of the log do not restore."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def recall(self) -> Tree | None:
        """Raises ValueError where the file is not what `remember` wrote."""
        try:
            found = json.loads(self._path.read_bytes())
            return Tree(int(found["size"]), bytes.fromhex(found["root"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.name}: must hold the size and root that were last signed") from None

    def remember(self, tree: Tree) -> None:
        """Synced, file and folder, before it returns."""
        new = self._path.with_name(self._path.name + ".new")
        with new.open("wb") as file:
            file.write(json.dumps({"size": tree.size, "root": tree.root.hex()}).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
