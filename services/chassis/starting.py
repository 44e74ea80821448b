"""What every service's process begins with: its settings, logs and traces, and clients of store and broker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from services.chassis import kafka_headers, logs, tracing
from services.chassis.areafile import FileRefused
from services.chassis.engine.away import Away
from services.chassis.engine.publisher import KafkaPublisher
from services.chassis.live_files import LiveFiles
from services.chassis.settings import ServiceSettings, WrongSettings, read

STORE_TIMEOUT_MS = 5_000
T = TypeVar("T")
K = TypeVar("K", bound=ServiceSettings)


def begin(service_id: str, kind: type[K]) -> K:
    """Read the settings and set up logs and traces; ends the process with the wrong settings named."""
    try:
        settings = read(kind)
    except WrongSettings as wrong:
        raise SystemExit(f"{service_id} cannot start:\n{wrong}") from None
    logs.configure(service_id, settings.log_level)
    kafka_headers.tolerate()
    tracing.configure(service_id, settings.trace_file, settings.trace_ratio)
    return settings


def area_files(service_id: str, folder: Path, load: Callable[[Path], T]) -> LiveFiles[T]:
    """The area's files, read now and watched from now on; ends the process with the wrong file, line and what would
    be right."""
    try:
        files = LiveFiles(folder, load)
    except FileRefused as refused:
        raise SystemExit(f"{service_id} cannot start:\n{refused}") from None
    files.watch()
    return files


def connect_store(settings: ServiceSettings) -> MongoClient[dict[str, Any]]:
    """A client of the store; connects when first used. The engine repeats writes, since it knows what they mean."""
    return MongoClient(
        settings.mongo_url.get_secret_value(),
        retryWrites=False,
        tz_aware=True,
        serverSelectionTimeoutMS=STORE_TIMEOUT_MS,
        connectTimeoutMS=STORE_TIMEOUT_MS,
        socketTimeoutMS=STORE_TIMEOUT_MS * 2,
        appname="referrals",
    )


def publisher(settings: ServiceSettings, client_id: str, *, alone: bool = False) -> KafkaPublisher:
    """A publisher of the service's own; `alone` where one thread alone uses it."""
    return KafkaPublisher(lambda: AIOKafkaProducer(**settings.kafka.batch_producer(client_id)), alone=alone)


def is_away(error: Exception) -> bool:
    """True for a store or a broker that does not answer yet."""
    return isinstance(error, Away | PyMongoError | KafkaError)
