"""What every service's process begins with: its settings, logs and traces, and clients of store and broker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from services.chassis import kafka_headers, logs, tracing
from services.chassis.areafile import FileRefused
from services.chassis.engine.away import Away
from services.chassis.engine.publisher import OwnPublisher, SharedPublisher
from services.chassis.engine.store import connect_failures
from services.chassis.live_files import LiveFiles
from services.chassis.settings import ServiceSettings, WrongSettings, read

log = logs.get(__name__)

STORE_TIMEOUT_MS = 5_000
CONNECT_EVERY = 0.5
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
    """A client of the store; connects when first used. The engine repeats writes, since it knows what they mean.

    Whatever the address says: a write counts once a majority of the store's members have it on disk, and nothing is
    read that a failing member could take back. Who was shown something must find it again.
    """
    return MongoClient(
        settings.mongo_url.get_secret_value(),
        retryWrites=False,
        w="majority",
        journal=True,
        readConcernLevel="majority",
        tz_aware=True,
        serverSelectionTimeoutMS=STORE_TIMEOUT_MS,
        connectTimeoutMS=STORE_TIMEOUT_MS,
        socketTimeoutMS=STORE_TIMEOUT_MS * 2,
        appname="referrals",
    )


def own_publisher(settings: ServiceSettings, client_id: str) -> OwnPublisher:
    """The engine's publisher."""
    return OwnPublisher(lambda: AIOKafkaProducer(**settings.kafka.batch_producer(client_id)))


def shared_publisher(settings: ServiceSettings, client_id: str) -> SharedPublisher:
    """The publisher of whatever else a service's threads send."""
    return SharedPublisher(lambda: AIOKafkaProducer(**settings.kafka.batch_producer(client_id)))


def wait_for(service_id: str, what: str, ready: Callable[[], None], ended: threading.Event) -> None:
    """Repeat `ready` until what we stand on answers, or `ended` is set: our supervisor, not we, gives up on a machine.

    A store that answers and refuses, as a wrong password, would refuse for ever: that ends the process, with the
    refusal named.
    """
    while True:
        try:
            ready()
        except PyMongoError as error:
            if connect_failures(error):
                _wait(what, error, ended)
                continue
            refusal = _refusal(error)
            log.critical("service_cannot_start", refused_by=what, error=refusal)
            raise SystemExit(f"{service_id} cannot start: the {what} answers with {refusal}") from error
        except (Away, KafkaError) as error:
            _wait(what, error, ended)
        else:
            return


def _wait(what: str, error: Exception, ended: threading.Event) -> None:
    log.warning("service_waits", away=what, error=type(error).__name__)
    if ended.wait(CONNECT_EVERY):
        raise SystemExit(0) from error


def _refusal(error: PyMongoError) -> str:
    """Its class, and the store's own name for it; the text may quote what was written."""
    named = (error.details or {}).get("codeName") if isinstance(error, OperationFailure) else None
    return f"{type(error).__name__} ({named})" if named else type(error).__name__
