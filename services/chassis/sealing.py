"""Personal data at rest and in transit: sealed under a referral's data keys, or to a partner's public key."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from google.protobuf.message import DecodeError, Message

from safeguarding.v1.common_pb2 import Sealed
from services.chassis import logs
from services.chassis.drawn import drawn

M = TypeVar("M", bound=Message)
_log = logs.get(__name__)

KEY_BYTES = 32
NONCE_BYTES = 12
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class CannotOpen(Exception):
    """The key is not the one, or what was sealed was altered or moved to another place."""


def new_key() -> bytes:
    """A fresh data key."""
    return drawn(KEY_BYTES)


def seal(key: bytes, referral_id: str, key_id: str, group: Any, version: int, content: Message) -> Sealed:
    """Seal one field group of one referral; it opens nowhere else (AES-256-GCM, associated data)."""
    sealed = Sealed()
    seal_into(sealed, AESGCM(key), referral_id, key_id, group, version, content)
    return sealed


def seal_into(
    into: Sealed, cipher: AESGCM, referral_id: str, key_id: str, group: Any, version: int, content: Message
) -> None:
    """The same, where the part is to lie: a message that is put into another is copied.

    Who seals several parts under one key makes its cipher once.
    """
    nonce = drawn(NONCE_BYTES)
    into.key_id = key_id
    into.nonce = nonce
    into.ciphertext = cipher.encrypt(nonce, content.SerializeToString(), _bound(referral_id, group, version))
    into.group = group
    into.version = version


def unseal(key: bytes, referral_id: str, sealed: Sealed, into: type[M]) -> M:
    """What was sealed, or CannotOpen."""
    try:
        plain = _cipher(key).decrypt(sealed.nonce, sealed.ciphertext, _bound(referral_id, sealed.group, sealed.version))
    except (InvalidTag, ValueError) as error:  # ValueError: a nonce of no length that there is
        raise CannotOpen(f"group {sealed.group} version {sealed.version}") from error
    return into.FromString(plain)


def forget_ciphers() -> None:
    """Drop what memory has of keys that parts were opened with, as whoever forgets a key must.

    Of all of them: to make one anew takes 1 µs, to know which are whose would cost every opening.
    """
    _cipher.cache_clear()


def open_part(keys: Mapping[str, bytes], referral_id: str, sealed: Sealed, into: type[M]) -> M | None:
    """What was sealed; None where its key was destroyed, or where it is damaged.

    A damaged part is told of in the log. It must not keep all else from whoever waits for it: an offer lacks that
    part, and is not lost.
    """
    key = keys.get(sealed.key_id)
    if key is None:
        return None
    try:
        return unseal(key, referral_id, sealed, into)
    except (CannotOpen, DecodeError) as error:
        _log.error("part_unreadable", referral_id=referral_id, group=int(sealed.group), error=type(error).__name__)
        return None


class KeyWrapper:
    """Wraps data keys under the key-encryption key, which only intake has; bound to referral and key id."""

    def __init__(self, key_encryption_key: bytes) -> None:
        self._cipher = AESGCM(key_encryption_key)

    def wrap(self, referral_id: str, key_id: str, key: bytes) -> bytes:
        """Nonce and ciphertext of a data key."""
        nonce = drawn(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, f"{referral_id}|{key_id}".encode())

    def unwrap(self, referral_id: str, key_id: str, wrapped: bytes) -> bytes:
        """The data key, or CannotOpen."""
        try:
            return self._cipher.decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], f"{referral_id}|{key_id}".encode()
            )
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce of no length that there is
            raise CannotOpen(key_id) from error


def seal_to(public_key: bytes, info: str, content: bytes) -> bytes:
    """Encrypt to a partner's X25519 public key (HPKE base mode, RFC 9180); `info` binds it to its place."""
    return _SUITE.encrypt(content, X25519PublicKey.from_public_bytes(public_key), info=info.encode())


def open_with(private_key: bytes, info: str, sealed: bytes) -> bytes:
    """Open what was encrypted to our public key under the same `info`, or CannotOpen."""
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), info=info.encode())
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("copy or reply") from error


def copy_info(partner_id: str, leg_id: str, event_id: str) -> str:
    """What binds a copy to its partner, leg and event; partners compute the same."""
    return f"referrals/copy/v1|{partner_id}|{leg_id}|{event_id}"


def reply_info(partner_id: str, leg_id: str, reply_id: str) -> str:
    """What binds the personal part of a reply; partners compute the same."""
    return f"referrals/reply/v1|{partner_id}|{leg_id}|{reply_id}"


def _bound(referral_id: str, group: Any, version: int) -> bytes:
    return f"{referral_id}|{group:d}|{version}".encode()


@lru_cache(maxsize=4096)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)
