"""`referrals rebuild`: makes the store of a service again from the topics, while the service is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer
from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from services import topics
from services.chassis.deciding import Decider
from services.chassis.kafka_settings import KafkaAccess
from services.chassis.rebuild import CannotRebuild, Rebuilt, Sources, rebuild
from services.cli import rebuild_audit, showing
from services.cli.exits import Exit, Failed
from services.cli.installed import installed, told
from services.cli.local.stack import Stack
from services.cli.parked import Deciding
from services.cli.showing import Json
from services.intake.domain import IntakeDecider
from services.partner_routing.domain import RoutingDecider
from services.triage.domain import TriageDecider
from services.triage.index import COLLECTION

_FACTS = {topic.writer: topic for topic in (topics.INTAKE, topics.TRIAGE, topics.ROUTING)}
_DECIDERS: tuple[Decider[Any], ...] = (IntakeDecider(), TriageDecider(), RoutingDecider())
SOURCES: Mapping[str, Sources[Any]] = {
    decider.writer: Sources(
        decider, _FACTS[decider.writer], {writer: _FACTS[writer] for writer in decider.upstream_types}
    )
    for decider in _DECIDERS
}
"""What each service's store is made of, by the service's id."""
ANSWER_MS = 10_000


@dataclass(frozen=True)
class _Place:
    """Where a service's topics and store are, as itself is told."""

    kafka: KafkaAccess
    mongo_url: str
    database: str


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command(name="rebuild")(rebuild_)


class Rebuildable(StrEnum):
    """The services whose stores the topics can make again."""

    INTAKE = "intake"
    TRIAGE = "triage"
    PARTNER_ROUTING = "partner-routing"
    AUDIT = "audit"


def rebuild_(
    which: Annotated[Rebuildable, typer.Argument(metavar="SERVICE", help="Whose store.")], *, as_json: Json = False
) -> None:
    """Make a service's store again from the topics: same facts, same views. The service is stopped meanwhile.

    Intake's keys are never touched, since no topic has them; but those that were erased do not come back. Rebuilding
    twice changes nothing.
    """
    if which is Rebuildable.AUDIT:
        rebuild_audit.run(as_json=as_json)
        return
    service = Deciding(which)
    stack = installed()
    place = _place(stack, service)
    with showing.working(f"stopping {service}"):
        stack.hold(service)
    done, without_keys = _rebuilt(stack, place, service)
    with showing.working(f"starting {service}"):
        stack.start([service])
    if as_json:
        showing.print_json({"service": str(service), **asdict(done), "without_keys": without_keys})
        return
    showing.line(
        f"{service}: {done.referrals} referrals from {done.records} records; "
        f"{done.inserted} were missing, {done.updated} were there"
    )
    if done.unreadable:
        showing.line(f"{done.unreadable} records on its own topic are no facts: who wrote them?")
    if without_keys:
        showing.line(
            f"{without_keys} of them have no keys: their personal parts cannot be opened until the keys are put "
            "back from a backup"
        )


def _rebuilt(stack: Stack, place: _Place, service: Deciding) -> tuple[Rebuilt, int]:
    """Rebuild; where that fails the service stays stopped, since it could not go on by itself."""
    again = f"referrals rebuild {service}; referrals up starts the service as it is"
    client = MongoClient[dict[str, Any]](place.mongo_url, tz_aware=True, serverSelectionTimeoutMS=ANSWER_MS)
    try:
        collection = client[place.database]["referrals"]
        with showing.progress() as tell:
            done = rebuild(SOURCES[service], place.kafka, collection, folder=stack.home.root, progress=tell)
        if service is Deciding.TRIAGE:
            client[place.database][COLLECTION].drop()  # triage makes its index again when it starts
        if service is not Deciding.INTAKE:
            return done, 0
        _destroy_erased(collection)
        return done, _without_keys(collection)
    except CannotRebuild as error:
        raise Failed(Exit.REFUSED, "CANNOT_REBUILD", str(error), "", again) from None
    except (KafkaError, PyMongoError) as error:
        wrong = f"{'the broker' if isinstance(error, KafkaError) else 'the store'} failed: {type(error).__name__}"
        raise Failed(Exit.FAULT, "UNAVAILABLE", wrong, "rebuild again when it answers", again) from None
    finally:
        client.close()


def _destroy_erased(collection: Collection[dict[str, Any]]) -> None:
    """A store from a backup may hold keys that were destroyed since: what the facts say of them is done again."""
    erased = list(collection.find({"view.erased": {"$exists": True}}, {"view.erased": 1}))
    for document in erased:
        gone = {f"keys.{key_id}": "" for key_id in document["view"]["erased"]}
        collection.update_one({"_id": document["_id"]}, {"$unset": gone})


def _without_keys(collection: Collection[dict[str, Any]]) -> int:
    return collection.count_documents({"keys": {"$exists": False}})


def _place(stack: Stack, service: str) -> _Place:
    found = told(stack.home, service)
    kafka = KafkaAccess(
        found["KAFKA_SERVERS"], found["KAFKA_USERNAME"], found["KAFKA_PASSWORD"], found["KAFKA_SECURITY"]
    )
    return _Place(kafka, found["MONGO_URL"], found["MONGO_DATABASE"])
