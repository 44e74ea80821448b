"""Random bytes for keys, nonces and tokens, drawn from the system many at a time and each given out once.

Each draw from the system lets another thread go on instead, which under load is not done before its turn is over
(5 ms): a concern needs a dozen, and a turn of the engine one.
"""

import os
import secrets
import threading
from typing import Final

DRAWN_TOGETHER: Final = 8192


class _Drawn:
    """What one thread has drawn."""

    __slots__ = ("_at", "_bytes")

    def __init__(self) -> None:
        self._bytes, self._at = b"", 0

    def take(self, count: int) -> bytes:
        at = self._at
        end = at + count
        if end > len(self._bytes):
            self._bytes = secrets.token_bytes(DRAWN_TOGETHER)
            at, end = 0, count
        self._at = end
        return self._bytes[at:end]


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.drawn = _Drawn()

    def forget(self) -> None:
        self.drawn = _Drawn()


_own = _OfThread()
os.register_at_fork(after_in_child=_own.forget)  # the one thread that goes on there is the one that forked


def drawn(count: int) -> bytes:
    """So many that nobody else has had or will have, also not in a process that was forked. Thread-safe."""
    return _own.drawn.take(count)
