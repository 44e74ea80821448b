"""Headers that harm a reader who takes every name for text."""

from __future__ import annotations


class NoText(str):
    """The name of a header that is no UTF-8 on the wire, and text for the client that sends it."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """See str."""
        return b"\xff" + super().encode(encoding, errors)
