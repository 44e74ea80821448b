"""Partners of the local stack: topics, Kafka user, permissions, keys, certificate, directory entry."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient

from services import topics
from services.cli.local import authority, credentials, directory, environments, provision
from services.cli.local import home as files
from services.cli.local.home import Home
from services.cli.local.stack import Stack


@dataclass(frozen=True)
class Partner:
    """What is agreed about a partner. Without `kafka` it uses the inbox alone and gets no Kafka user."""

    id: str
    name: str
    serves: tuple[str, ...]
    areas: tuple[str, ...]
    kind: str = "partner"
    kafka: bool = True
    lead: bool = False
    council: str = ""


def add(stack: Stack, partners: Sequence[Partner]) -> None:
    """Make everything that each partner needs; what is there stays, so adding twice changes nothing.

    The broker is asked once for all of them. The directory entry comes last: a partner that is in
    the directory has all the rest. Raises ValueError for an id that is malformed or too
    like another partner's.
    """
    _refuse_alike([partner.id for partner in partners], directory.names(stack.home, "partner"))
    passwords = {partner.id: _password(stack.home, partner.id) for partner in partners if partner.kafka}
    issuer = authority.ensure(stack.home)
    routing_key = environments.routing_public_key(credentials.load(stack.home))
    for partner in partners:
        issuer.issue("partner", partner.id)
        _private_key(stack.home, partner.id)
        if partner.kafka:
            _write_login(stack, partner.id, passwords[partner.id], routing_key)
    with stack.admin() as client:
        _furnish(client, partners, passwords)
    for partner in partners:
        _write_entry(stack.home, partner)


def remove(stack: Stack, partner: str) -> None:
    """Refuse the partner: the directory first, then its permissions, then its Kafka user; its topics stay.

    Its open connections end when they must authenticate again, within 30 s. Removing twice is no error.
    """
    user = topics.partner_user(partner)
    directory.remove(stack.home, "partner", partner)
    with stack.admin() as client:
        provision.remove_acls_of(client, user)
        provision.remove_user(client, user)
    login_file(stack.home, partner).unlink(missing_ok=True)


def known(home: Home) -> list[dict[str, Any]]:
    """Every partner of the directory: its id and the fields of its entry."""
    return [{"id": name, **directory.read(home, "partner", name)} for name in directory.names(home, "partner")]


def login_file(home: Home, partner: str) -> Path:
    """JSON: `login` (kafka-python's), `topic`, `replies_topic`, `group_prefix`, `routing_public_key`."""
    return home.partners / partner / "kafka.json"


def private_key_file(home: Home, partner: str) -> Path:
    """The partner's own X25519 key in hex; its public half is in the directory."""
    return home.partners / partner / "private_key"


def _furnish(client: KafkaAdminClient, partners: Sequence[Partner], passwords: dict[str, str]) -> None:
    provision.ensure_topics(client, [topic for partner in partners for topic in topics.partner_topics(partner.id)])
    provision.set_passwords(client, {topics.partner_user(name): word for name, word in passwords.items()})
    without_kafka = {topics.partner_user(partner.id) for partner in partners if not partner.kafka}
    wanted = {acl for partner in partners for acl in topics.partner_acls(partner.id) if acl.user not in without_kafka}
    provision.ensure_acls(client, wanted)
    for user in without_kafka:
        provision.remove_acls_of(client, user)
        provision.remove_user(client, user)


def _refuse_alike(new: Iterable[str], present: Iterable[str]) -> None:
    """Group prefixes end in a hyphen: `farm` could use the groups of `farm-watch`, so both cannot be."""
    names = sorted({*new, *present})
    prefixes = {name: topics.partner_group_prefix(name) for name in names}
    for name, prefix in prefixes.items():
        alike = [other for other in names if prefixes[other].startswith(prefix) and other != name]
        if alike:
            raise ValueError(f"partner ids {name} and {alike[0]}: neither may begin with the other and a hyphen")


def _password(home: Home, partner: str) -> str:
    login = files.read_json(login_file(home, partner)).get("login", {})
    return str(login.get("sasl_plain_password") or credentials.password())


def _private_key(home: Home, partner: str) -> str:
    path = private_key_file(home, partner)
    if not path.exists():
        files.write(path, credentials.x25519_private_key())
    return path.read_text()


def _write_login(stack: Stack, partner: str, password: str, routing_key: str) -> None:
    copies, replies = topics.partner_topics(partner)
    content = {
        "login": provision.login(stack.address("partners"), topics.partner_user(partner), password),
        "topic": copies.name,
        "replies_topic": replies.name,
        "group_prefix": topics.partner_group_prefix(partner),
        "routing_public_key": routing_key,
    }
    files.write_json(login_file(stack.home, partner), content)


def _write_entry(home: Home, partner: Partner) -> None:
    fields = asdict(partner)
    del fields["id"]
    fields["public_key"] = credentials.x25519_public_key(_private_key(home, partner.id))
    directory.write(home, "partner", partner.id, fields)
