"""Signed notes (c2sp.org/signed-note): Ed25519 signatures, verifier keys, and cosignatures of witnesses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
COSIGNATURE_V1 = 0x04
MOST_SIGNATURES = 100
LONGEST_NOTE = 1_000_000
_KEY_BYTES, _ID_BYTES, _TIME_BYTES = 32, 4, 8
_NAME = re.compile(r"[^\s+]+")
_SIGNATURE = re.compile(r"— (?P<name>[^\s+]+) (?P<base64>[A-Za-z0-9+/]+={0,2})")
_PRIVATE = "PRIVATE+KEY+"


class NoteRefused(Exception):
    """Not a note, or not one that the given keys signed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """As it stands in the note, with its newline."""
        return f"— {self.name} {_encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, the signatures by known keys that were verified, and those by keys that nobody named."""

    text: str
    verified: tuple[Signature, ...]
    unknown: tuple[Signature, ...]


class NoteSigner(Protocol):
    """Signs the text of notes."""

    def sign(self, text: str) -> Signature:
        """The signature of the text by this key."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verifier key: `<name>+<key id>+<base64 of type and public key>`."""

    name: str
    kind: int
    public_key: bytes

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Raises ValueError for anything but a well-formed Ed25519 or cosignature/v1 key whose id is right."""
        name, key_id, encoded = _parts(vkey, "verifier key")
        raw = _decode(encoded, "verifier key")
        if len(raw) != 1 + _KEY_BYTES or raw[0] not in (ED25519, COSIGNATURE_V1):
            raise ValueError("verifier key: must hold an Ed25519 key, of type 1 or 4")
        verifier = cls(name, raw[0], raw[1:])
        if verifier.key_id.hex() != key_id:
            raise ValueError(f"verifier key: the id of this key is {verifier.key_id.hex()}, not {key_id}")
        return verifier

    @property
    def key_id(self) -> bytes:
        """The first four bytes of the hash of name, type and key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{_encode(bytes([self.kind]) + self.public_key)}"

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature of this text."""
        message = text.encode()
        if self.kind == COSIGNATURE_V1:
            message = _cosigned(text, int.from_bytes(signature[:_TIME_BYTES], "big"))
            signature = signature[_TIME_BYTES:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """Signs notes with an Ed25519 key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"key name {name!r}: must be without spaces and plus signs, and not empty")
        self._key = key
        self.verifier = Verifier(name, ED25519, key.public_key().public_bytes_raw())

    @classmethod
    def parse(cls, secret: str) -> Signer:
        """From the form that `secret()` gives. Its content is never in an error."""
        if not secret.startswith(_PRIVATE):
            raise ValueError(f"signing key: must begin with {_PRIVATE}")
        name, key_id, encoded = _parts(secret.removeprefix(_PRIVATE), "signing key")
        raw = _decode(encoded, "signing key")
        if len(raw) != 1 + _KEY_BYTES or raw[0] != ED25519:
            raise ValueError("signing key: must hold an Ed25519 seed, of type 1")
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(raw[1:]))
        if signer.verifier.key_id.hex() != key_id:
            raise ValueError("signing key: its id is not that of the key")
        return signer

    def secret(self) -> str:
        """`PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`, as golang.org/x/mod/sumdb/note writes it."""
        seed = _encode(bytes([ED25519]) + self._key.private_bytes_raw())
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.key_id.hex()}+{seed}"

    def sign(self, text: str) -> Signature:
        """The signature of the text."""
        return Signature(self.verifier.name, self.verifier.key_id, self._key.sign(text.encode()))


class Cosigner:
    """Signs checkpoints as a witness does: cosignature/v1 (c2sp.org/tlog-cosignature), with the time of its look."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"key name {name!r}: must be without spaces and plus signs, and not empty")
        self._key = key
        self.verifier = Verifier(name, COSIGNATURE_V1, key.public_key().public_bytes_raw())

    def cosign(self, text: str, seconds: int) -> Signature:
        """The cosignature of a checkpoint's text at this time: seconds since 1970, UTC."""
        made = self._key.sign(_cosigned(text, seconds))
        return Signature(self.verifier.name, self.verifier.key_id, seconds.to_bytes(_TIME_BYTES, "big") + made)


def sign(text: str, *signers: NoteSigner) -> bytes:
    """The note with one signature of each signer. Raises ValueError for a text that no note may have."""
    if not _may_be_text(text):
        raise ValueError("a note's text must end in a newline and have no other control characters")
    return (text + "\n" + "".join(signer.sign(text).line() for signer in signers)).encode()


def add_signatures(note: bytes, signatures: Iterable[Signature]) -> bytes:
    """The note with further signature lines, such as cosignatures."""
    return note + "".join(signature.line() for signature in signatures).encode()


def open_note(note: bytes, verifiers: Sequence[Verifier]) -> Note:
    """The note, once at least one of the keys signed it.

    Raises NoteRefused where the note is malformed (also where base64 has spare bits that nothing covers), where a
    signature by one of the keys is wrong, or where none of them signed.
    """
    text, lines = _parse(note)
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    verified: dict[tuple[str, bytes], Signature] = {}
    unknown: list[Signature] = []
    for line in lines:
        signature = _signature(line)
        key = (signature.name, signature.key_id)
        verifier = known.get(key)
        if verifier is None:
            unknown.append(signature)
        elif key not in verified:
            if not verifier.verifies(text, signature.signature):
                raise NoteRefused(f"the signature by {verifier.name}+{verifier.key_id.hex()} is not of this text")
            verified[key] = signature
        elif verified[key] != signature:
            raise NoteRefused(f"two different signatures by {verifier.name}+{verifier.key_id.hex()}")
    if not verified:
        raise NoteRefused(f"none of the keys signed it: {', '.join(found.name for found in verifiers) or 'none given'}")
    return Note(text, tuple(verified.values()), tuple(unknown))


def signatures_in(lines: bytes) -> list[Signature]:
    """Signature lines that stand alone, unverified. Raises NoteRefused."""
    try:
        text = lines.decode()
    except UnicodeDecodeError:
        raise NoteRefused("not UTF-8") from None
    if not text.endswith("\n") or text.count("\n") > MOST_SIGNATURES:
        raise NoteRefused(f"must be at most {MOST_SIGNATURES} signature lines, each with its newline")
    return [_signature(line) for line in text[:-1].split("\n")]


def _parse(note: bytes) -> tuple[str, list[str]]:
    if len(note) > LONGEST_NOTE:
        raise NoteRefused(f"longer than {LONGEST_NOTE} bytes")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise NoteRefused("not UTF-8") from None
    text, blank, signatures = whole.rpartition("\n\n")
    text += "\n"
    if not blank or not _may_be_text(text) or not signatures.endswith("\n"):
        raise NoteRefused("malformed: must be text, an empty line, then signature lines")
    lines = signatures[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise NoteRefused(f"more than {MOST_SIGNATURES} signatures")
    return text, lines


def _signature(line: str) -> Signature:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise NoteRefused("malformed signature line")
    try:
        raw = _decode(found["base64"], "signature")
    except ValueError as error:
        raise NoteRefused(str(error)) from None
    if len(raw) <= _ID_BYTES:
        raise NoteRefused("malformed signature line: nothing follows the key's id")
    return Signature(found["name"], raw[:_ID_BYTES], raw[_ID_BYTES:])


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _may_be_text(text: str) -> bool:
    return text.endswith("\n") and not any(character < " " and character != "\n" for character in text)


def _parts(key: str, what: str) -> tuple[str, str, str]:
    name, _, rest = key.partition("+")
    key_id, _, encoded = rest.partition("+")
    if not _NAME.fullmatch(name) or not re.fullmatch(r"[0-9a-f]{8}", key_id):
        raise ValueError(f"{what}: must be <name>+<8 hex digits>+<base64>")
    return name, key_id, encoded


def _encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _decode(text: str, what: str) -> bytes:
    """Only the one canonical encoding: spare bits would be changes that nothing notices."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"{what}: not base64") from None
    if _encode(raw) != text:
        raise ValueError(f"{what}: not canonical base64")
    return raw
