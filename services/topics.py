"""Every topic: its writer, its readers, what it carries, how long it is kept; ACLs follow from it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

SERVICES = ("intake", "triage", "partner-routing", "audit")
PARTNER_RETENTION = timedelta(days=28)
PARTNER_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
LONGEST_PARTNER_ID = 60


class Operation(StrEnum):
    """What an ACL allows; READ and WRITE imply DESCRIBE on the same topic."""

    READ = "READ"
    WRITE = "WRITE"
    DESCRIBE = "DESCRIBE"


class Resource(StrEnum):
    """What an ACL is about."""

    TOPIC = "TOPIC"
    GROUP = "GROUP"
    GROUP_PREFIX = "GROUP_PREFIX"


@dataclass(frozen=True)
class Topic:
    """One topic. Kafka users are named by service id or `partner-<id>`; retention None keeps for ever."""

    name: str
    writer: str
    readers: tuple[str, ...]
    carries: str
    retention: timedelta | None = None
    partitions: int = 6


@dataclass(frozen=True, order=True)
class Acl:
    """One thing that one Kafka user may do; whatever has no Acl is refused."""

    user: str
    operation: Operation
    resource: Resource
    name: str


INTAKE = Topic("referrals.intake.v1", "intake", ("triage", "partner-routing", "audit"), "IntakeFact")
TRIAGE = Topic("referrals.triage.v1", "triage", ("intake", "partner-routing", "audit"), "TriageFact")
ROUTING = Topic("referrals.routing.v1", "partner-routing", ("intake", "triage", "audit"), "RoutingFact")


def _known(service: str) -> str:
    if service not in SERVICES:
        raise ValueError(f"service {service!r}: must be one of {', '.join(SERVICES)}")
    return service


def access_topic(service: str) -> Topic:
    """Who looked at, searched, exported or disclosed what in `service`, and why."""
    return Topic(f"referrals.access.{_known(service)}.v1", service, ("audit",), "AccessFact")


def parked_topic(reader: str) -> Topic:
    """Records that `reader` could not handle, kept whole."""
    return Topic(f"referrals.parked.{_known(reader)}.v1", reader, ("audit",), "ParkedRecord")


def partner_topic(partner: str) -> Topic:
    """The partner's copies: only what its agreement allows, encrypted to its key."""
    user = partner_user(partner)
    return Topic(f"partner.{partner}.v1", "partner-routing", (user, "audit"), "PartnerRecord", PARTNER_RETENTION)


def replies_topic(partner: str) -> Topic:
    """The partner's answers on its legs; whoever writes here is that partner, whatever the body says."""
    user = partner_user(partner)
    readers = ("partner-routing", "audit")
    return Topic(f"partner.{partner}.replies.v1", user, readers, "Reply", PARTNER_RETENTION)


_PARTNERS_OWN = re.compile(r"partner\.(?P<partner>[a-z0-9-]+)(\.replies)?\.v1")
REPLIES_PATTERN = r"^partner\.[a-z0-9-]+\.replies\.v1$"
"""Topics that are read as partners' replies; `replies_of` says whose, of those that a partner can have."""

TOPICS = (
    INTAKE,
    TRIAGE,
    ROUTING,
    *(access_topic(service) for service in SERVICES),
    *(parked_topic(service) for service in SERVICES),
)


def partner_user(partner: str) -> str:
    """The partner's Kafka user.

    Raises ValueError for an id that is malformed or whose user or groups would be those of the service
    partner-routing.
    """
    if not PARTNER_ID.fullmatch(partner) or len(partner) > LONGEST_PARTNER_ID:
        raise ValueError(
            f"partner id {partner!r}: must be lower-case letters, digits and single hyphens, "
            f"at most {LONGEST_PARTNER_ID}"
        )
    if partner == "routing" or partner.startswith("routing-"):
        raise ValueError(f"partner id {partner!r}: 'routing' would take the Kafka user of the service partner-routing")
    return f"partner-{partner}"


def partner_group_prefix(partner: str) -> str:
    """Every consumer group of the partner begins with this."""
    return f"{partner_user(partner)}-"


def partner_of(topic: str) -> str:
    """Whose copies or replies the topic carries; empty where it is another topic."""
    found = _PARTNERS_OWN.fullmatch(topic)
    return found["partner"] if found else ""


def replies_of(topic: str) -> str:
    """Whose replies the topic carries; empty where it is another topic, or one that no partner can have."""
    partner = partner_of(topic)
    try:
        return partner if partner and topic == replies_topic(partner).name else ""
    except ValueError:
        return ""


def partner_topics(partner: str) -> tuple[Topic, Topic]:
    """The partner's two topics: its copies and its replies."""
    return partner_topic(partner), replies_topic(partner)


def service_acls(topics: Iterable[Topic] = TOPICS) -> frozenset[Acl]:
    """What each service may do: its topics, and consumer groups that begin with its id."""
    groups = {Acl(service, Operation.READ, Resource.GROUP_PREFIX, service) for service in SERVICES}
    return frozenset(groups) | acls(topics)


def partner_acls(partner: str) -> frozenset[Acl]:
    """What a partner may do, and what services may do on its topics."""
    user = partner_user(partner)
    group = Acl(user, Operation.READ, Resource.GROUP_PREFIX, partner_group_prefix(partner))
    return acls(partner_topics(partner)) | {group}


def acls(topics: Iterable[Topic] = TOPICS) -> frozenset[Acl]:
    """Every ACL that the topics' writers and readers need.

    A service also reads what it wrote (tail check, rebuild, replay of parked records); a partner does not.
    """
    found = set()
    for topic in topics:
        found.add(Acl(topic.writer, Operation.WRITE, Resource.TOPIC, topic.name))
        readers = {*topic.readers, topic.writer} if topic.writer in SERVICES else set(topic.readers)
        for reader in readers:
            found.add(Acl(reader, Operation.READ, Resource.TOPIC, topic.name))
            found.add(Acl(reader, Operation.DESCRIBE, Resource.TOPIC, topic.name))
    return frozenset(found)
