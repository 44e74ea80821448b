"""The one place that says how this house talks to Kafka: as whom, and with which client settings."""

import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SASL_PLAINTEXT = "SASL_PLAINTEXT"
SASL_SSL = "SASL_SSL"
MECHANISM = "SCRAM-SHA-256"

# The default (30 s) leaves clients silent long after a killed broker is back: shared pitfalls, measured.
RECONNECT_BACKOFF_MAX_MS = 1_000
# How long a client that is being made waits for a broker before it raises; who makes it tries again.
BOOTSTRAP_TIMEOUT_MS = 3_000
# A poll that waits for the engine or a pause must not cost the membership; the watchdog ends what hangs.
MAX_POLL_INTERVAL_MS = 24 * 60 * 60 * 1_000
SESSION_TIMEOUT_MS = 10_000
HEARTBEAT_INTERVAL_MS = 3_000
# At most this much in one fetch; one larger record still arrives, alone.
FETCH_MAX_BYTES = 8 * 1024 * 1024
FETCH_MAX_BYTES_PER_PARTITION = 512 * 1024
FETCH_MAX_RECORDS = 2_000


class UnsafeKafka(ValueError):
    """These settings would send a password, or personal data, where others can read it."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Where the brokers are and as whom to log in. The password never appears in repr, logs or errors.

    `servers` is comma-separated host:port. `security` is SASL_SSL, or SASL_PLAINTEXT when every server is on
    loopback. `ca` names the authority's PEM file for SASL_SSL; None means the system's authorities.

    Raises UnsafeKafka for any other security, for plain text off loopback, and for an empty login.
    """

    servers: str
    username: str
    password: str = field(repr=False)
    security: str = SASL_SSL
    ca: Path | None = None

    def __post_init__(self) -> None:
        if self.security not in (SASL_PLAINTEXT, SASL_SSL):
            raise UnsafeKafka(f"KAFKA_SECURITY is {self.security!r}; use {SASL_SSL} or, on loopback, {SASL_PLAINTEXT}")
        if not self.addresses:
            raise UnsafeKafka("KAFKA_SERVERS is empty; give host:port, comma-separated")
        if not self.username or not self.password:
            raise UnsafeKafka("KAFKA_USERNAME and KAFKA_PASSWORD must both be set")
        if self.security == SASL_PLAINTEXT:
            exposed = [address for address in self.addresses if not _on_loopback(address)]
            if exposed:
                raise UnsafeKafka(f"{SASL_PLAINTEXT} is for loopback only, not {exposed[0]}; use {SASL_SSL}")

    @property
    def addresses(self) -> list[str]:
        """The brokers, one host:port each."""
        return [address.strip() for address in self.servers.split(",") if address.strip()]

    def common(self) -> dict[str, Any]:
        """Return the settings every kafka-python client needs."""
        return {
            "bootstrap_servers": self.addresses,
            "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
            **self._login(),
        }

    def producer(self, client_id: str) -> dict[str, Any]:
        """Return settings of an idempotent KafkaProducer that waits for every replica and sends big batches.

        A send that is not acknowledged within 30 s fails; that means *unknown*, never *not written*.
        Nothing is compressed: values are mostly ciphertext, and aiokafka (under Faust) reads lz4, snappy and
        zstd only where cramjam is installed.
        """
        return {
            **self.common(),
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "allow_auto_create_topics": False,
            "batch_size": 256 * 1024,
            "linger_ms": 0,
            "max_block_ms": 10_000,
            "request_timeout_ms": 10_000,
            "delivery_timeout_ms": 30_000,
        }

    def batch_producer(self, client_id: str) -> dict[str, Any]:
        """Return settings of the idempotent AIOKafkaProducer that the services' own publisher gives batches to.

        It would try for ever: whoever gives it a batch bounds the wait, and then ends it.
        """
        return {
            **self._aiokafka_login(),
            "bootstrap_servers": self.addresses,
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": True,
            "max_batch_size": 256 * 1024,
            "linger_ms": 0,
            "request_timeout_ms": 10_000,
            "retry_backoff_ms": 100,
        }

    def consumer(self, client_id: str, group: str | None = None) -> dict[str, Any]:
        """Return settings of a KafkaConsumer that commits only when told, and starts at the first record.

        Without a group the caller assigns partitions by hand and keeps its own positions.
        """
        return {
            **self.common(),
            "client_id": client_id,
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "check_crcs": True,
            "max_poll_records": FETCH_MAX_RECORDS,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "max_partition_fetch_bytes": FETCH_MAX_BYTES_PER_PARTITION,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": HEARTBEAT_INTERVAL_MS,
            "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
            "request_timeout_ms": 15_000,
        }

    def admin(self, client_id: str) -> dict[str, Any]:
        """Return settings of a KafkaAdminClient."""
        return {**self.common(), "client_id": client_id, "request_timeout_ms": 15_000}

    def aiokafka_consumer(self, client_id: str, group: str | None) -> dict[str, Any]:
        """Return settings of an aiokafka consumer, Faust's or our own; the same promises as `consumer`."""
        return {
            **self._aiokafka_login(),
            "bootstrap_servers": self.addresses,
            "client_id": client_id,
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "check_crcs": True,
            "isolation_level": "read_uncommitted",
            "max_poll_records": FETCH_MAX_RECORDS,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "max_partition_fetch_bytes": FETCH_MAX_BYTES_PER_PARTITION,
            "fetch_max_wait_ms": 500,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": HEARTBEAT_INTERVAL_MS,
            "rebalance_timeout_ms": 30_000,
            "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
            "request_timeout_ms": 15_000,
            "metadata_max_age_ms": 30_000,
        }

    def _login(self) -> dict[str, Any]:
        login: dict[str, Any] = {
            "security_protocol": self.security,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }
        if self.security == SASL_SSL and self.ca is not None:
            login["ssl_cafile"] = str(self.ca)
        return login

    def _aiokafka_login(self) -> dict[str, Any]:
        login = self._login()
        authority = login.pop("ssl_cafile", None)
        if self.security == SASL_SSL:
            login["ssl_context"] = ssl.create_default_context(cafile=authority)
        return login


def _on_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name that may resolve anywhere
        return False
