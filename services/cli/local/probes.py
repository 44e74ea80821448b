"""Health, asked of the thing itself: each probe returns when it is healthy and raises NotReady when not."""

import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from kafka.errors import KafkaError
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from services.cli.local import provision
from services.cli.local.errors import NotReady

ANSWER_SECONDS = 2


@dataclass(frozen=True)
class Access:
    """What a probe needs to reach the stack."""

    ports: dict[str, int]
    admin_password: str

    def address(self, name: str) -> str:
        """`127.0.0.1:port` of a name of the plan."""
        return f"127.0.0.1:{self.ports[name]}"


def port_is_open(access: Access, name: str) -> None:
    """Something listens there."""
    try:
        socket.create_connection(("127.0.0.1", access.ports[name]), timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise NotReady(f"{name} does not listen on port {access.ports[name]}") from error


def kafka_is_ready(access: Access) -> None:
    """The broker lets the administrator in and knows itself, on a port that is open for partners too."""
    port_is_open(access, "kafka")
    port_is_open(access, "partners")
    try:
        with provision.admin(access.address("kafka"), access.admin_password) as client:
            if not client.describe_cluster()["brokers"]:
                raise NotReady("kafka answers but has no broker yet")
    except KafkaError as error:
        raise NotReady(f"kafka does not answer its administrator: {type(error).__name__}") from error


def mongo_is_ready(access: Access) -> None:
    """The store answers a command."""
    port_is_open(access, "mongo")
    try:
        with MongoClient[dict[str, object]](
            f"mongodb://{access.address('mongo')}", serverSelectionTimeoutMS=ANSWER_SECONDS * 1000
        ) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        raise NotReady(f"mongo does not answer: {type(error).__name__}") from error


def service_is_ready(access: Access, http: str) -> None:
    """The service says of itself that it can serve."""
    try:
        with urllib.request.urlopen(f"http://{access.address(http)}/readyz", timeout=ANSWER_SECONDS) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        raise NotReady(f"{http} answers {error.code}: {error.read(200).decode(errors='replace').strip()}") from error
    except OSError as error:
        raise NotReady(f"{http} does not answer on port {access.ports[http]}") from error
