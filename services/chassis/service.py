"""How every deciding service is put together, started and stopped; its `__main__` only names the parts."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from kafka import KafkaConsumer
from pymongo import MongoClient
from pymongo.collection import Collection as MongoCollection

from safeguarding.v1 import parked_pb2_grpc
from safeguarding.v1.access_control_pb2 import ROLE_SERVICE
from safeguarding.v1.common_pb2 import Actor
from services.chassis import garbage, logs, tail
from services.chassis.access import Access
from services.chassis.calls import Urgent, nothing_is_urgent
from services.chassis.commanding import Commands
from services.chassis.deciding import Decider
from services.chassis.directory import Directory
from services.chassis.engine import Engine
from services.chassis.engine.forerunners import Early
from services.chassis.engine.judge import Copier
from services.chassis.engine.observing import EngineCollector, MetricsObserver
from services.chassis.engine.outbox import Outbox
from services.chassis.engine.reading import Reader, facts_of
from services.chassis.engine.store import MongoStore
from services.chassis.engine.wiring import Wiring
from services.chassis.grpc_server import Servicer, build_server
from services.chassis.health import Health
from services.chassis.http import HttpServer
from services.chassis.kafka_in.consumer import KafkaIn
from services.chassis.metrics import METRICS
from services.chassis.parked import ParkedRecords
from services.chassis.parked_api import ParkedApi
from services.chassis.replies_in import RepliesIn
from services.chassis.resting import Resting
from services.chassis.settings import ServiceSettings
from services.chassis.starting import connect_store, own_publisher, shared_publisher, wait_for
from services.chassis.watchdog import Watchdog
from services.topics import Topic, parked_topic

S = TypeVar("S")
log = logs.get(__name__)

STOP_SECONDS = 15.0

Upstreams = Mapping[str, tuple[str, type[Message]]]
"""Topics that are read: the writer of each and the message it carries."""


@dataclass(frozen=True)
class Parts(Generic[S]):
    """What a service's own code is given: the engine, its collection, and the ways to record and to look up."""

    settings: ServiceSettings
    engine: Engine[S]
    collection: MongoCollection[dict[str, Any]]
    commands: Commands
    access: Access
    directory: Directory
    clock: Callable[[], datetime]


@dataclass(frozen=True)
class Recipe(Generic[S]):
    """What makes a service this one and no other."""

    id: str
    topic: Topic
    decider: Decider[S]
    upstreams: Upstreams
    servicers: Callable[[Parts[S]], Sequence[Servicer]]
    gather: Callable[[Sequence[tuple[S, Any]]], Mapping[str, Any]] | None = None
    early: Early | None = None
    rules: Callable[[], Any] = lambda: None
    copier: Copier[S] | None = None
    queried: Sequence[str] = ()
    """Fields of `view` by which documents are found."""
    unhurried: Collection[str] = ()
    """Upstream topics that may lie for a moment, since nobody waits for what their facts lead to (see KafkaIn)."""
    read_reply: Reader | None = None
    """Reads records of partners' replies topics; None where the service reads none."""
    checked_by_handler: Collection[str] = field(default_factory=tuple)
    urgent: Urgent = nothing_is_urgent
    """Of a request: it is let in where others are told to return later."""


class Service(Generic[S]):
    """One process of one service: built, started, and stopped so that what it acknowledged is finished."""

    def __init__(self, settings: ServiceSettings, recipe: Recipe[S]) -> None:
        self._settings = settings
        self._recipe = recipe
        conditions = ["store", "broker", "engine", "keys"] + (["stream"] if recipe.upstreams else [])
        self._health = Health(conditions)
        self._http = HttpServer(settings.http_address, self._health)
        self._mongo: MongoClient[dict[str, Any]] = connect_store(settings)
        self._collection = self._mongo[settings.mongo_database]["referrals"]
        self._publisher = own_publisher(settings, recipe.id)
        self._access_publisher = shared_publisher(settings, f"{recipe.id}-access")
        self._ended = threading.Event()

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish what was acknowledged."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ended.set())
        self._http.start()
        recipe, settings = self._recipe, self._settings
        store = MongoStore(self._collection, recipe.id, recipe.queried)
        connect = partial(KafkaConsumer, **settings.kafka.consumer(f"{recipe.id}-restore"))
        parked = ParkedRecords(parked_topic(recipe.id).name, recipe.id, recipe.upstreams)
        self._wait_for("store", store.prepare)
        self._wait_for("broker", lambda: parked.restore(connect))
        read = facts_of(recipe.id, recipe.decider.fact_type)
        self._check_tail(lambda: tail.check(recipe.topic.name, recipe.id, read, store, connect))

        kafka_in: KafkaIn | None = None
        resting = Resting()

        def standing(what: str, ready: bool) -> None:
            self._health.set(what, ready=ready)
            resting.tell(what, ready=ready)

        engine = Engine(
            Wiring(
                decider=recipe.decider,
                store=store,
                publisher=self._publisher,
                outbox=Outbox(recipe.id, recipe.topic.name, recipe.topic.carries),
                parked=parked,
                actor=Actor(role=ROLE_SERVICE, id=recipe.id),
                readers=self._readers(),
                copier=recipe.copier,
                gather=recipe.gather,
                early=recipe.early,
                rules=recipe.rules,
                release=lambda position: kafka_in.release(*position) if kafka_in else None,
                observer=MetricsObserver(METRICS),
                standing=standing,
            )
        )
        METRICS.registry.register(EngineCollector(engine, parked))
        for condition in ("store", "broker", "keys"):
            self._health.set(condition, ready=True)
        engine.start()  # from now on the engine tells what is away
        if recipe.upstreams:
            kafka_in = KafkaIn(
                settings.kafka,
                list(recipe.upstreams),
                recipe.id,
                engine.handle,
                unhurried=recipe.unhurried,
                on_assigned=lambda _: engine.rescan(),
            )
            kafka_in.start()
            resting.add(kafka_in)
            self._health.set("stream", ready=True)
        watchdog = Watchdog(settings.kafka, recipe.id, kafka_in) if kafka_in else None
        if watchdog:
            watchdog.start()
        replies = (
            RepliesIn(settings.kafka, f"{recipe.id}-replies", engine.handle) if recipe.read_reply is not None else None
        )
        if replies:
            replies.start()
            resting.add(replies)
        server = build_server(
            settings,
            self._servicers(engine, parked),
            self._health,
            checked_by_handler=recipe.checked_by_handler,
            urgent=recipe.urgent,
        )
        server.start()
        self._health.set("engine", ready=True)  # now that calls reach it: ready means that the next call is answered
        garbage.look_seldom()
        log.info("service_ready")
        self._ended.wait()

        log.info("service_stopping")
        self._health.stop()
        stopped = server.stop(STOP_SECONDS)
        for stream in (kafka_in, replies):
            if stream:
                stream.stop()
        stopped.wait(STOP_SECONDS)
        engine.stop(STOP_SECONDS)
        if watchdog:
            watchdog.stop()
        self._publisher.close()
        self._access_publisher.close()
        self._mongo.close()
        self._http.stop()
        log.info("service_stopped")

    def _readers(self) -> _Readers:
        facts = {topic: facts_of(writer, kind) for topic, (writer, kind) in self._recipe.upstreams.items()}
        return _Readers(facts, self._recipe.read_reply)

    def _servicers(self, engine: Engine[S], parked: ParkedRecords) -> list[Servicer]:
        clock = partial(datetime.now, UTC)
        parts = Parts(
            settings=self._settings,
            engine=engine,
            collection=self._collection,
            commands=Commands(self._settings.hmac_key),
            access=Access(self._access_publisher.publish, self._recipe.id, clock),
            directory=Directory(self._settings.directory),
            clock=clock,
        )
        own = (parked_pb2_grpc.add_ParkedRecordsServicer_to_server, ParkedApi(parked, engine))
        return [*self._recipe.servicers(parts), own]

    def _check_tail(self, check: Callable[[], None]) -> None:
        """End the process, saying what mends it, where the store is behind the service's own topic."""
        try:
            self._wait_for("store or broker", check)
        except tail.StoreBehind as behind:
            log.critical("store_behind", mend=f"referrals rebuild {self._recipe.id}")
            self._http.stop()
            raise SystemExit(f"{self._recipe.id} cannot start: {behind}") from None

    def _wait_for(self, what: str, ready: Callable[[], None]) -> None:
        """See wait_for."""
        wait_for(self._recipe.id, what, ready, self._ended)


class _Readers(dict[str, Reader]):
    """Readers by topic; any other topic is a partner's replies."""

    def __init__(self, facts: Mapping[str, Reader], replies: Reader | None) -> None:
        super().__init__(facts)
        self._replies = replies

    def __missing__(self, topic: str) -> Reader:
        if self._replies is None:
            raise KeyError(topic)
        return self._replies
