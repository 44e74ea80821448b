"""Keeps the index one batch behind the log, so that disk and store work at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from services.audit.index import Index, Placed
from services.audit.patience import Patience


class Indexer:
    """One batch is being saved at most; the next waits for it. What a crash keeps from the index, its log still has.

    Used by one thread.
    """

    def __init__(self, index: Index, patiently: Patience) -> None:
        self._index = index
        self._patiently = patiently
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="indexer")
        self._saving: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is being saved; it gives up by itself where the store is away and all is to stop."""
        self._thread.shutdown()
        if error is None:
            self._settle()

    def save(self, placed: Sequence[Placed], size: int) -> None:
        """Index these after all before them. Raises what the one before met: Stopping, or what nobody can mend."""
        self._settle()
        self._saving = self._thread.submit(self._patiently, "store", lambda: self._index.save(placed, size))

    def look(self) -> None:
        """See how the last one went, if it is over. Raises as `save` does."""
        if self._saving is not None and self._saving.done():
            self._settle()

    def _settle(self) -> None:
        if self._saving is not None:
            saving, self._saving = self._saving, None
            saving.result()
