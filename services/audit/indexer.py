"""Keeps the index a little behind the log, so that disk and store work at the same time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from services.audit.index import Index, Placed
from services.audit.patience import Patience

MOST_WAITING = 2_048
"""Entries that may wait while others are saved; whoever has more waits too."""


class Indexer:
    """A plain thread that saves, in order, all that waits at once. What a crash keeps from the index, the log has.

    One other thread uses it.
    """

    def __init__(self, index: Index, patiently: Patience) -> None:
        self._index = index
        self._patiently = patiently
        self._changed = threading.Condition()
        self._waiting: list[Placed] = []
        self._size = 0
        """Up to where the log is held once what waits is saved; 0 where nothing waits."""
        self._ending = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="indexer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save what waits, and end; it gives up by itself where the store is away and all is to stop."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()
        if error is None:
            self.look()

    def save(self, placed: Sequence[Placed], size: int) -> None:
        """Have these indexed after all before them. Raises what an earlier one met: Stopping, or a bug."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or len(self._waiting) < MOST_WAITING)
            self.look()
            self._waiting += placed
            self._size = size
            self._changed.notify_all()

    def look(self) -> None:
        """Raises as `save` does, where something failed since."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while self._save_waiting():
                pass
        except Exception as failure:  # noqa: BLE001 - whoever uses this has it raised
            with self._changed:
                self._failure = failure
                self._changed.notify_all()

    def _save_waiting(self) -> bool:
        """Save all that waits; False where nothing does and nothing more comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._size or self._ending)
            placed, size = self._waiting, self._size
            self._waiting, self._size = [], 0
            self._changed.notify_all()
        if not size:
            return False
        self._patiently("store", lambda: self._index.save(placed, size))
        return True
