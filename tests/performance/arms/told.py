"""What an arm was told, and the client settings that follow from it, the same promises for all."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import Any

from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess


@cache
def told() -> dict[str, Any]:
    """The settings, read once."""
    settings: dict[str, Any] = json.load(sys.stdin)
    return settings


def access() -> KafkaAccess:
    """The broker, as our services are told of it."""
    return KafkaAccess(told()["servers"], told()["username"], told()["password"], SASL_PLAINTEXT)


def aiokafka_login() -> dict[str, Any]:
    """How an aiokafka client connects."""
    return {
        "bootstrap_servers": told()["servers"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": told()["username"],
        "sasl_plain_password": told()["password"],
    }


def librdkafka_producer() -> dict[str, Any]:
    """A producer of confluent-kafka, or of arroyo, which stands on it; by a key's murmur2 as all other clients."""
    return {**_librdkafka(), "acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random"}


def librdkafka_consumer() -> dict[str, Any]:
    """A consumer of theirs that commits only when told."""
    return {
        **_librdkafka(),
        "group.id": told()["group"],
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }


def _librdkafka() -> dict[str, Any]:
    return {
        "bootstrap.servers": told()["servers"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": told()["username"],
        "sasl.password": told()["password"],
    }
