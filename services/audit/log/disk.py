"""Writes the log's files so that they last: file and folder are synced, and what may change is renamed into place."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK = "lock"
NEW = ".new"
_MOST_OPEN = 200


class Fenced(Exception):
    """Another process writes this log."""


class Disk:
    """The folder of a log."""

    def __init__(self, root: Path, fsync: Callable[[int], None] = os.fsync) -> None:
        self.root = root
        self._fsync = fsync
        self._unsynced: list[int] = []
        self._folders: set[str] = set()
        """Those that have new names in them."""
        self._known: set[str] = set()

    def write(self, path: str, data: bytes) -> None:
        """Write a file that no checkpoint names yet; `sync` makes it last."""
        folder = os.path.dirname(path)
        if folder not in self._known:
            self._make(folder)
        self._folders.add(folder)
        descriptor = os.open(self.root / path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._unsynced.append(descriptor)
        _write_all(descriptor, data)
        # Starts writing it out, so that the syncs at the end wait for one another and not one after the other.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if len(self._unsynced) >= _MOST_OPEN:
            self._sync_files()

    def sync(self) -> None:
        """Return once everything written, and its name, is on the disk."""
        self._sync_files()
        for folder in self._folders:
            self.sync_folder(folder)
        self._folders.clear()

    def replace(self, path: str, data: bytes) -> None:
        """Put the file there at once or not at all, its bytes synced before; `sync_folder` makes its name last."""
        new = self.root / (path + NEW)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            _write_all(descriptor, data)
            self._fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(new, self.root / path)

    def sync_folder(self, folder: str = "") -> None:
        """Make the names in it last."""
        descriptor = os.open(self.root / folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._fsync(descriptor)
        finally:
            os.close(descriptor)

    def forget(self) -> None:
        """After a failure: what was written and not synced is nobody's."""
        while self._unsynced:
            os.close(self._unsynced.pop())
        self._folders.clear()
        self._known.clear()

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""
        return (self.root / path).read_bytes()

    def remove(self, path: str) -> None:
        """Take a file away, and the folders that this leaves empty."""
        (self.root / path).unlink()
        folder = os.path.dirname(path)
        while folder and not os.listdir(self.root / folder):
            (self.root / folder).rmdir()
            self._known.discard(folder)
            folder = os.path.dirname(folder)

    def remove_folder(self, folder: str) -> None:
        """Take away a folder of files; nothing where there is none."""
        self.remove_from(folder, sys.maxsize)

    def remove_from(self, folder: str, at_most: int) -> tuple[int, bool]:
        """Take away so many of a folder's files, and with the last one itself; how many went, and if more are there."""
        try:
            names = os.listdir(self.root / folder)
        except FileNotFoundError:
            return 0, False
        for name in names[:at_most]:
            (self.root / folder / name).unlink()
        if len(names) > at_most:
            return at_most, True
        (self.root / folder).rmdir()
        self._known.discard(folder)
        return len(names), False

    def lock(self) -> int:
        """Be the only writer until the descriptor is closed or the process ends. Raises Fenced."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / LOCK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(descriptor), os.stat(path))
        except (BlockingIOError, FileNotFoundError):
            same = False
        if not same:
            os.close(descriptor)
            raise Fenced(f"{self.root}: another process writes this log, and only one may; stop that one first")
        return descriptor

    def _make(self, folder: str) -> None:
        parts = folder.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path not in self._known:
                try:
                    os.mkdir(self.root / path)
                except FileExistsError:
                    pass
                else:
                    self._folders.add("/".join(parts[: depth - 1]))
                self._known.add(path)

    def _sync_files(self) -> None:
        while self._unsynced:
            descriptor = self._unsynced.pop()
            try:
                self._fsync(descriptor)
            finally:
                os.close(descriptor)


def files(root: Path) -> Iterator[str]:
    """Every file below, by its path from there; folders without files too, with a slash at their end. In order."""
    pending = [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        if not found and folder:
            yield folder + "/"
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                pending.append(path)
            else:
                yield path


def is_written(root: Path) -> bool:
    """Whether a writer has the log at this moment."""
    try:
        descriptor = os.open(root / LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
