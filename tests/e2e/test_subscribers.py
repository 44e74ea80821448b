"""The subscribers of the partners' guide, in Python and in Java, on a real stack, with repeats and restarts."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from safeguarding.v1.intake_pb2 import RaiseConcernRequest
from safeguarding.v1.partner_pb2 import Copy
from safeguarding.v1.routing_pb2 import LEG_STATE_RECEIVED
from services.cli.demo import run
from services.cli.local.home import CHECKOUT
from services.cli.scenario import ScenarioConcern, paths_in
from services.topics import partner_group_prefix, partner_topic
from tests.e2e.conftest import World

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SOURCES = CHECKOUT / "deploy" / "partners"
WITHIN = 60.0


@dataclass(frozen=True)
class Subscriber:
    """A partner that runs one of the two programs."""

    partner_id: str
    command: tuple[str, ...]


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The command that runs the Java subscriber, built as the guide says."""
    built = tmp_path_factory.mktemp("java")
    library = f"{built}/lib/*"
    build = ["mvn", "-B", "-q", "-f", str(SOURCES / "java" / "pom.xml"), "dependency:copy-dependencies"]
    subprocess.run([*build, f"-DoutputDirectory={built}/lib"], check=True, timeout=240)
    source = str(SOURCES / "java" / "Subscriber.java")
    subprocess.run(["javac", "-Xlint:all", "-Werror", "-cp", library, "-d", str(built), source], check=True, timeout=60)
    return "java", "-cp", f"{built}:{library}", "Subscriber"


@pytest.fixture(params=["python", "java"])
def subscriber(request: pytest.FixtureRequest, world: World) -> Subscriber:
    if request.param == "python":
        folder = world.stack.home.partners / "childrens-care-avon"
        return Subscriber(folder.name, (sys.executable, str(SOURCES / "python" / "subscriber.py"), str(folder)))
    folder = world.stack.home.partners / "police-safeguarding"
    command: tuple[str, ...] = request.getfixturevalue("java")
    descriptors = CHECKOUT / "build" / "protos" / "descriptors.binpb"
    return Subscriber(folder.name, (*command, str(folder), str(descriptors)))


@contextmanager
def running(subscriber: Subscriber, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            subscriber.command,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / "build" / "protos")},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(what: str, condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for something that the subscriber is to bring about; fail with its log when it ends or is late."""
    deadline = time.monotonic() + WITHIN
    while not condition():
        assert process.poll() is None, f"it ended with {process.returncode}: {log.read_text()[-3000:]}"
        assert time.monotonic() < deadline, f"not within {WITHIN:.0f} s: {what}: {log.read_text()[-3000:]}"
        time.sleep(0.1)


def raise_concern(world: World, key: str) -> tuple[ScenarioConcern, str]:
    """One concern that both subscribers must hear of."""
    [stated] = [concern for concern in run.scenario() if concern.name == "abuse-at-high-risk-with-children"]
    intake = world.people.intake("officer", stated.raiser.id)
    request = RaiseConcernRequest(idempotency_key=f"subscriber-{key}", concern=stated.concern)
    return stated, intake.RaiseConcern(request, timeout=10).referral_id


def is_received(world: World, referral_id: str, partner_id: str) -> bool:
    """Whether routing took the partner's answer."""
    legs = world.follower.journey(referral_id).legs
    return any(leg.partner_id == partner_id and leg.state == LEG_STATE_RECEIVED for leg in legs)


def kept_of(world: World, partner_id: str, referral_id: str) -> list[Copy]:
    """What the subscriber keeps of a referral."""
    folder = world.stack.home.partners / partner_id / "copies"
    kept = [Copy.FromString(path.read_bytes()) for path in folder.iterdir()]
    return [copy for copy in kept if copy.referral_id == referral_id]


def send_again(world: World, partner_id: str) -> int:
    """Put every record of the partner's topic on it once more, as routing may after a crash; return how many."""
    login, topic = world.stack.kafka_login(), partner_topic(partner_id).name
    reader = KafkaConsumer(**login, enable_auto_commit=False)
    partitions = [TopicPartition(topic, number) for number in reader.partitions_for_topic(topic)]
    reader.assign(partitions)
    reader.seek_to_beginning()
    ends = reader.end_offsets(partitions)
    records: list[Any] = []
    while len(records) < sum(ends.values()):
        records += [record for found in reader.poll(timeout_ms=1_000).values() for record in found]
    reader.close()
    writer = KafkaProducer(**login, acks="all")
    sent = [
        writer.send(topic, record.value, key=record.key, partition=record.partition, headers=record.headers)
        for record in records
    ]
    for future in sent:
        future.get(timeout=30)
    writer.close()
    return len(records)


def has_read_everything(world: World, partner_id: str) -> bool:
    """Whether the subscriber's group has committed the end of every partition that holds something."""
    topic, group = partner_topic(partner_id).name, f"{partner_group_prefix(partner_id)}subscriber"
    with world.stack.admin() as admin:
        committed = admin.list_group_offsets(group)[group]
    reader = KafkaConsumer(**world.stack.kafka_login(), enable_auto_commit=False)
    ends = reader.end_offsets([TopicPartition(topic, number) for number in reader.partitions_for_topic(topic)])
    reader.close()
    offsets = {partition: found.offset for partition, found in committed.items()}
    return all(offsets.get(partition, 0) == end for partition, end in ends.items() if end)


def test_it_reads_opens_keeps_and_answers_what_its_agreement_gives(
    world: World, subscriber: Subscriber, tmp_path: Path
) -> None:
    stated, referral_id = raise_concern(world, f"first-{subscriber.partner_id}")
    log = tmp_path / "log"

    with running(subscriber, log) as process:
        until("received", lambda: is_received(world, referral_id, subscriber.partner_id), process, log)

    [copy] = kept_of(world, subscriber.partner_id, referral_id)
    assert paths_in(copy.offer) == stated.partners[subscriber.partner_id].must_get
    assert copy.offer.narratives[0].text == stated.concern.narrative.text


def test_repeats_and_restarts_leave_one_copy_and_one_answer(
    world: World, subscriber: Subscriber, tmp_path: Path
) -> None:
    _, before = raise_concern(world, f"before-{subscriber.partner_id}")
    log = tmp_path / "log"
    with running(subscriber, log) as process:
        until("received", lambda: is_received(world, before, subscriber.partner_id), process, log)
    _, while_away = raise_concern(world, f"away-{subscriber.partner_id}")
    assert send_again(world, subscriber.partner_id) > 0

    with running(subscriber, log) as process:
        until("received", lambda: is_received(world, while_away, subscriber.partner_id), process, log)
        until("read to the end", lambda: has_read_everything(world, subscriber.partner_id), process, log)

    for referral_id in (before, while_away):
        assert len(kept_of(world, subscriber.partner_id, referral_id)) == 1
        steps = world.follower.journey(referral_id).steps
        mine = [step.kind for step in steps if step.actor.id == subscriber.partner_id]
        assert mine == ["received"], "repeated answers are taken once, and none is refused"
