"""One broker (and, where asked for, one store) for a whole run; each test has topics and groups of its own."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.cli.local.stack import Stack
from tests.integration.house import House, opened

MakeTopic = Callable[..., str]


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack in a home of its own. Nothing runs until `broker` or `store` asks for it."""
    stack = Stack(tmp_path_factory.mktemp("home"))
    try:
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="session")
def running_broker(shared_stack: Stack) -> Stack:
    """The stack with its broker up. Tests use `broker`, which also finds it up after a test that killed it."""
    shared_stack.start(["kafka"])
    return shared_stack


@pytest.fixture
def broker(running_broker: Stack) -> Stack:
    running_broker.wait_ready(["kafka"])
    return running_broker


@pytest.fixture(scope="session")
def store(shared_stack: Stack) -> Stack:
    """The stack with its store up; `store.mongo_url` says where."""
    shared_stack.start(["mongo"])
    return shared_stack


@pytest.fixture
def kafka(broker: Stack) -> KafkaAccess:
    """See administration."""
    return administration(broker)


def administration(stack: Stack) -> KafkaAccess:
    """The administrator's way in: these tests are about reading, not about permissions."""
    login = stack.kafka_login()
    return KafkaAccess(
        login["bootstrap_servers"], login["sasl_plain_username"], login["sasl_plain_password"], SASL_PLAINTEXT
    )


@pytest.fixture
def make_topic(broker: Stack) -> MakeTopic:
    """Make a topic that no other test has: `make_topic("facts", partitions=3)`."""

    def make(name: str = "facts", partitions: int = 6) -> str:
        topic = f"{name}.{uuid.uuid4().hex[:8]}"
        with broker.admin() as admin:
            admin.create_topics({topic: {"num_partitions": partitions, "replication_factor": 1}})
        return topic

    return make


@pytest.fixture
def group() -> str:
    """A consumer group that no other test has."""
    return f"group-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Every service, the broker, the store and the area's partners, once for a whole run."""
    yield from opened(tmp_path_factory.mktemp("house"))
