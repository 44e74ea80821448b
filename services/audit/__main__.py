"""Wires audit together; nothing else connects anything."""

import signal
import threading
from datetime import UTC, datetime
from functools import partial

from safeguarding.v1 import audit_pb2_grpc
from services.audit.api import AuditApi
from services.audit.index import Index
from services.audit.log.memory import FileMemory
from services.audit.log.writer import Writer
from services.audit.published import Published
from services.audit.sequencer import Sequencer
from services.audit.serving import LogServer
from services.audit.settings import Settings
from services.audit.views import Views
from services.audit.watching import Watcher, asking
from services.chassis import garbage, logs, starting
from services.chassis.access import Access
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.grpc_server import build_server
from services.chassis.health import Health
from services.chassis.http import HttpServer

AUDIT = "audit"
STOP_SECONDS = 15.0
log = logs.get(__name__)


def main() -> None:
    """Run audit until it is told to stop; what was fetched is kept before it ends."""
    settings = starting.begin(AUDIT, Settings)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    health = Health(["store", "broker", "log", "stream"])
    http = HttpServer(settings.http_address, health)
    mongo = starting.connect_store(settings)
    database = mongo[settings.mongo_database]
    publisher = starting.shared_publisher(settings, f"{AUDIT}-access")
    access = Access(publisher.publish, AUDIT, partial(datetime.now, UTC))
    index = Index(database)
    memories = [index.memory()]
    if settings.log_second_memory:
        memories.append(FileMemory(settings.log_second_memory))
    sequencer = Sequencer(
        settings.kafka,
        index,
        lambda: Writer(settings.log, settings.signer, memories, witness=settings.witness()),
        lambda what, ready: health.set(what, ready=ready),
    )
    published = Published(settings.log, settings.signer.verifier)
    files = LogServer(settings.log_address, published)
    views = Views(database)
    api = AuditApi(views, access, published)
    tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    intake = channel(settings.intake_address, tls)
    watcher = Watcher(index, views, asking(intake), access)
    server = build_server(settings, [(audit_pb2_grpc.add_AuditServicer_to_server, api)], health)

    http.start()
    files.start()
    sequencer.start()
    watcher.start()
    server.start()
    garbage.look_seldom()
    log.info("service_ready")
    ended.wait()

    log.info("service_stopping")
    health.stop()
    stopped = server.stop(STOP_SECONDS)
    watcher.stop(STOP_SECONDS)
    sequencer.stop(STOP_SECONDS)
    stopped.wait(STOP_SECONDS)
    publisher.close()
    intake.close()
    mongo.close()
    files.stop()
    http.stop()
    log.info("service_stopped")


if __name__ == "__main__":
    main()
