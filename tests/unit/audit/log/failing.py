"""A disk that fails where a test wants it, and what a log's folder holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from services.audit.log import disk as disks
from services.audit.log.checkpoint import Tree, open_checkpoint
from services.audit.log.disk import Disk
from services.audit.log.reader import LogReader
from tests.unit.audit.log.support import VERIFIER


class Killed(BaseException):
    """The process ends here."""


class FailingDisk(Disk):
    """A disk whose n-th step fails: a file written in part, a sync, a rename or a removal that never happens."""

    def __init__(self, root: Path, fail_at: int, failure: BaseException, part: float = 0.5) -> None:
        super().__init__(root, fsync=lambda descriptor: None)
        self.left = fail_at
        self._failure = failure
        self._part = part

    def _step(self) -> bool:
        self.left -= 1
        return self.left == 0

    def write(self, path: str, data: bytes) -> None:
        failing = self._step()
        super().write(path, data[: int(len(data) * self._part)] if failing else data)
        if failing:
            raise self._failure

    def sync(self) -> None:
        if self._step():
            raise self._failure
        super().sync()

    def replace(self, path: str, data: bytes) -> None:
        if self._step():
            (self.root / (path + disks.NEW)).write_bytes(data[: int(len(data) * self._part)])
            raise self._failure
        super().replace(path, data)

    def sync_folder(self, folder: str = "") -> None:
        if self._step():
            raise self._failure
        super().sync_folder(folder)

    def remove_from(self, folder: str, at_most: int) -> tuple[int, bool]:
        if self._step():
            raise self._failure
        return super().remove_from(folder, at_most)


def signed_tree(folder: Path) -> Tree:
    return open_checkpoint((folder / "checkpoint").read_bytes(), VERIFIER)[0].tree


def names(folder: Path) -> set[str]:
    return set(disks.files(folder)) - {"checkpoint", "positions", "lock"}


def logged(folder: Path) -> list[bytes]:
    return list(LogReader(folder, signed_tree(folder).size).entries())


def fails(action: Callable[[], object]) -> bool:
    try:
        action()
    except (Killed, OSError):
        return True
    return False


def put_files(folder: Path, content: dict[str, bytes]) -> None:
    """Make the folder hold just these."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
