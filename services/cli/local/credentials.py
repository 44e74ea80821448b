"""Passwords and keys of one installation: random, made once, kept in one file of mode 0600."""

import secrets
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.audit.log.note import Signer
from services.cli.local import home as files
from services.cli.local.authority import TRUST_DOMAIN
from services.cli.local.home import Home
from services.topics import SERVICES

ADMIN = "admin"
CONTROLLER = "controller"
BROKER_USERS = (ADMIN, *SERVICES)

Credentials = dict[str, str]


def load(home: Home) -> Credentials:
    """All secrets by name; those still missing are made and kept."""
    known: Credentials = files.read_json(home.secrets)
    missing = {name: make() for name, make in _MAKERS.items() if name not in known}
    if missing:
        known |= missing
        files.write_json(home.secrets, known)
    return known


def password() -> str:
    """Letters, digits, `-` and `_` only, so that it needs no quoting in a JAAS line."""
    return secrets.token_urlsafe(24)


def x25519_private_key() -> str:
    """A new private key, 32 raw bytes in hex."""
    return X25519PrivateKey.generate().private_bytes_raw().hex()


def x25519_public_key(private_key: str) -> str:
    """The public half, 32 raw bytes in hex."""
    return X25519PrivateKey.from_private_bytes(bytes.fromhex(private_key)).public_key().public_bytes_raw().hex()


def log_signing_key() -> Signer:
    """A new key of audit's log. Its name, which is the log's, is of this installation alone."""
    return Signer(f"{TRUST_DOMAIN}/audit-{secrets.token_hex(4)}", Ed25519PrivateKey.generate())


_MAKERS: Mapping[str, Callable[[], str]] = {
    **{f"kafka.{user}": password for user in (*BROKER_USERS, CONTROLLER)},
    **{f"hmac.{service}": lambda: secrets.token_hex(32) for service in SERVICES},
    "kek.intake": lambda: secrets.token_hex(32),
    "linking.intake": lambda: secrets.token_hex(32),
    "index.triage": lambda: secrets.token_hex(32),
    "hpke.partner-routing": x25519_private_key,
    "log.audit": lambda: log_signing_key().secret(),
}
