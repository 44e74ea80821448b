"""Ids that are names: the same words under the same namespace are the same UUID. Made fast: every fact has some."""

import hashlib
import uuid
from collections.abc import Callable

_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def naming(namespace: uuid.UUID) -> Callable[[str], str]:
    """A function that gives the text of uuid.uuid5(namespace, name) for a name, in a quarter of its time."""
    begun = hashlib.sha1(namespace.bytes, usedforsecurity=False)

    def named(name: str) -> str:
        hashed = begun.copy()
        hashed.update(name.encode())
        digest = hashed.hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"

    return named
