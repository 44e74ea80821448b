"""Users, topics and ACLs on the broker: what is missing is made, and awaited until the broker obeys it."""

import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)
from kafka.errors import TopicAlreadyExistsError, for_code

from services.cli.local.credentials import ADMIN
from services.cli.local.errors import NotReady, StackError
from services.topics import Acl, Resource, Topic

EFFECTIVE_SECONDS = 60
BROKER_DEFAULT = -1
NO_ERROR, TOPIC_EXISTS = 0, TopicAlreadyExistsError.errno


def login(servers: str, user: str, password: str) -> dict[str, str]:
    """What kafka-python's clients need to connect as `user` on this machine."""
    return {
        "bootstrap_servers": servers,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }


def admin(servers: str, password: str) -> AbstractContextManager[KafkaAdminClient]:
    """The administrator's connection to the local broker."""
    return connect(login(servers, ADMIN, password))


@contextmanager
def connect(login: Mapping[str, str]) -> Generator[KafkaAdminClient]:
    """An administrator's connection, closed at the end."""
    client = KafkaAdminClient(**login, client_id="referrals-cli", reconnect_backoff_max_ms=1000)
    try:
        yield client
    finally:
        client.close()


def ensure_users(client: KafkaAdminClient, passwords: Mapping[str, str]) -> None:
    """Make the users that are missing; the password of one that exists stays as it is."""
    known = client.describe_user_scram_credentials(list(passwords))
    missing = [user for user in passwords if not known.get(user, {}).get("credential_infos")]
    if missing:
        set_passwords(client, {user: passwords[user] for user in missing})


def set_passwords(client: KafkaAdminClient, passwords: Mapping[str, str]) -> None:
    """Make users, or give those that exist another password."""
    upserts = [
        UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_256, password.encode())
        for user, password in passwords.items()
    ]
    _alter_users(client, upserts)


def remove_user(client: KafkaAdminClient, user: str) -> None:
    """Forget the user; one that does not exist is no error. Delete its ACLs first."""
    if client.describe_user_scram_credentials([user]).get(user, {}).get("credential_infos"):
        _alter_users(client, [UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_256)])


def ensure_topics(client: KafkaAdminClient, topics: Iterable[Topic]) -> None:
    """Make the topics that are missing; partition counts of those that exist never change."""
    existing = set(client.list_topics())
    wanted = {topic.name: _options(topic) for topic in topics if topic.name not in existing}
    if not wanted:
        return
    answer = client.create_topics(wanted, raise_errors=False)
    failed = [
        f"{topic['name']} ({for_code(topic['error_code']).__name__})"
        for topic in answer["topics"]
        if topic["error_code"] not in (NO_ERROR, TOPIC_EXISTS)
    ]
    if failed:
        raise StackError(f"the broker refused to make topics: {', '.join(failed)}")
    client.wait_for_topics(list(wanted))


def ensure_acls(client: KafkaAdminClient, wanted: Iterable[Acl]) -> None:
    """Allow what is wanted, and return when the broker does."""
    expected = {_acl(acl) for acl in wanted}
    missing = expected - current_acls(client)
    if not missing:
        return
    failed = client.create_acls(list(missing))["failed"]
    if failed:
        raise StackError(f"the broker refused ACLs: {', '.join(sorted({str(error) for error in failed}))}")
    _await_acls(client, present_ones=expected, absent_ones=set())


def remove_acls_of(client: KafkaAdminClient, user: str) -> None:
    """Take everything from the user, and return when the broker refuses it."""
    theirs = {acl for acl in current_acls(client) if acl.principal == f"User:{user}"}
    if theirs:
        delete_acls(client, theirs)
        _await_acls(client, present_ones=set(), absent_ones=theirs)


def current_acls(client: KafkaAdminClient) -> set[ACL]:
    """Everything that the broker's permissions allow or deny."""
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    found, _ = client.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))
    return set(found)


def delete_acls(client: KafkaAdminClient, acls: Iterable[ACL]) -> None:
    """Take these away; the broker may still allow them for a moment."""
    filters = [ACLFilter(a.principal, a.host, a.operation, a.permission_type, a.resource_pattern) for a in acls]
    client.delete_acls(filters)


def _await_acls(client: KafkaAdminClient, *, present_ones: set[ACL], absent_ones: set[ACL]) -> None:
    deadline = time.monotonic() + EFFECTIVE_SECONDS
    while True:
        current = current_acls(client)
        if present_ones <= current and not absent_ones & current:
            return
        if time.monotonic() > deadline:
            raise NotReady(f"ACLs took no effect within {EFFECTIVE_SECONDS} s: see logs/kafka.log")
        time.sleep(0.05)


def _alter_users(client: KafkaAdminClient, changes: list[object]) -> None:
    answers = client.alter_user_scram_credentials(changes)
    failed = [f"{user} ({message})" for user, message in answers.items() if message]
    if failed:
        raise StackError(f"the broker refused users: {', '.join(failed)}")


def _options(topic: Topic) -> dict[str, object]:
    kept = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    configs = {"retention.ms": str(kept), "retention.bytes": "-1", "cleanup.policy": "delete"}
    return {"num_partitions": topic.partitions, "replication_factor": BROKER_DEFAULT, "configs": configs}


def _acl(acl: Acl) -> ACL:
    prefixed = acl.resource is Resource.GROUP_PREFIX
    kind = ResourceType.TOPIC if acl.resource is Resource.TOPIC else ResourceType.GROUP
    pattern = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(kind, acl.name, pattern)
    return ACL(f"User:{acl.user}", "*", ACLOperation[acl.operation], ACLPermissionType.ALLOW, resource)
