"""An area's files as they are now: read at start, read again when they change, the last good ones in force."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from services.chassis import logs
from services.chassis.areafile import FileRefused
from services.chassis.calendars import LONDON
from services.chassis.metrics import METRICS, Metrics

T = TypeVar("T")
log = logs.get(__name__)

LOOK_EVERY = 2.0
Seen = tuple[tuple[str, int, int, int], ...]


class LiveFiles(Generic[T]):
    """What a folder of files states. Thread-safe: readers get one whole state or the next, never a mixture."""

    def __init__(self, folder: Path, load: Callable[[Path], T], metrics: Metrics = METRICS) -> None:
        """Read them; raises FileRefused where one is wrong."""
        self._folder = folder
        self._load = load
        self._refused = metrics.area_files_refused
        self._ended = threading.Event()
        self._seen = _seen(folder)
        self._now = load(folder)
        self._refused.set(0)

    def now(self) -> T:
        """What the last good files state."""
        return self._now

    def watch(self, every: float = LOOK_EVERY) -> None:
        """Look for changes from now on, on a thread of its own, until `end`."""
        threading.Thread(target=self._watch, args=(every,), name="area-files", daemon=True).start()

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> None:
        """Read the files again where they changed; a wrong one leaves the old ones in force, and is said once."""
        seen = _seen(self._folder)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._now = self._load(self._folder)
        except FileRefused as refused:
            self._refused.set(1)
            log.error(
                "area_files_refused",
                file=str(refused.file.relative_to(self._folder)),
                line=refused.line,
                wrong=refused.wrong,
                right=refused.right,
                in_force="the files as they were before",
            )
        else:
            self._refused.set(0)
            log.info("area_files_taken")

    def _watch(self, every: float) -> None:
        while not self._ended.wait(every):
            try:
                self.look()
            except OSError as error:  # such as a file that is being replaced: it is looked at again
                log.warning("area_files_unreadable", error=type(error).__name__)


def today() -> datetime:
    """This moment, where the files' days count."""
    return datetime.now(LONDON)


def _seen(folder: Path) -> Seen:
    """What tells one state of the files from another: a file replaced by rename has another inode."""
    found = []
    for path in sorted(folder.rglob("*.toml")):
        stat = path.stat()
        found.append((str(path.relative_to(folder)), stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)
