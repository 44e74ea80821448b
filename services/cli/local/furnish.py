"""Makes users, topics and permissions on a broker that `referrals up` did not start: docker-compose runs it once."""

import os
import sys
import time
from collections.abc import Mapping

from kafka.errors import KafkaError

from services import topics
from services.cli.local import provision
from services.cli.local.errors import StackError

WAIT_SECONDS = 120


def furnish(environment: Mapping[str, str]) -> None:
    """Furnish the broker that FURNISH_KAFKA_SERVERS names, as its administrator.

    Reads FURNISH_ADMIN_PASSWORD, FURNISH_KAFKA_CA and each service's <SERVICE>_KAFKA_PASSWORD.
    Raises StackError for a missing variable, KafkaError when the broker does not answer within two minutes.
    """
    passwords = {service: _required(environment, f"{_prefix(service)}_KAFKA_PASSWORD") for service in topics.SERVICES}
    login = {
        "bootstrap_servers": _required(environment, "FURNISH_KAFKA_SERVERS"),
        "security_protocol": "SASL_SSL",
        "ssl_cafile": _required(environment, "FURNISH_KAFKA_CA"),
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "admin",
        "sasl_plain_password": _required(environment, "FURNISH_ADMIN_PASSWORD"),
    }
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with provision.connect(login) as client:
                provision.set_passwords(client, passwords)
                provision.ensure_topics(client, topics.TOPICS)
                provision.ensure_acls(client, topics.service_acls())
            return
        except KafkaError:
            if time.monotonic() > deadline:
                raise
        time.sleep(1)


def _prefix(service: str) -> str:
    return service.replace("-", "_").upper()


def _required(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise StackError(f"{name} is not set")
    return environment[name]


if __name__ == "__main__":
    try:
        furnish(os.environ)
    except StackError as error:
        sys.exit(f"furnish: {error}")
