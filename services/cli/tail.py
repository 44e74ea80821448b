"""`referrals tail`: facts of all topics as they come, decoded and masked."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from services.chassis.kafka_in.chunk import Record
from services.chassis.kafka_settings import SASL_PLAINTEXT, KafkaAccess
from services.cli import masked, showing
from services.cli.exits import Exit, Failed
from services.cli.installed import installed
from services.cli.local.stack import Stack
from services.cli.showing import Json

POLL_MS = 500
LOOK_FOR_TOPICS_EVERY = 5.0


def register(app: typer.Typer) -> None:
    """See __main__."""
    app.command()(tail)


def tail(
    referral: Annotated[str, typer.Option(help="Only of this referral.")] = "",
    topic: Annotated[str, typer.Option(help="Only of topics whose name has this in it.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=0, help="End after so many; 0 goes on.")] = 0,
    *,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest.")] = False,
    as_json: Json = False,
) -> None:
    """Show facts as they come, until Ctrl-C; with --json one object a line. Nothing personal is shown."""
    left = count
    consumer = connect(installed(), "referrals-tail")
    try:
        for record in _records(consumer, topic, from_start=from_start):
            if referral and record.key != referral.lower().encode():
                continue
            showing.line(json.dumps(masked.shown(record), ensure_ascii=False) if as_json else masked.line(record))
            left -= 1
            if left == 0:
                return
    except KeyboardInterrupt:
        return
    finally:
        consumer.close(autocommit=False)


def connect(stack: Stack, name: str) -> KafkaConsumer:
    """A consumer of the local broker's administrator, in no group. Raises Failed where there is no broker."""
    login = stack.kafka_login()
    user, password = login["sasl_plain_username"], login["sasl_plain_password"]
    access = KafkaAccess(login["bootstrap_servers"], user, password, SASL_PLAINTEXT)
    try:
        return KafkaConsumer(**access.consumer(name))
    except KafkaError as error:
        wrong = f"the broker does not answer: {type(error).__name__}"
        raise Failed(Exit.FAULT, "UNAVAILABLE", wrong, "", "referrals status") from None


def read_one(consumer: KafkaConsumer, topic: str, partition: int, offset: int, within: float = 10.0) -> Record | None:
    """The record at one place; None where it is not there any more."""
    place = TopicPartition(topic, partition)
    consumer.assign([place])
    if not consumer.beginning_offsets([place])[place] <= offset < consumer.end_offsets([place])[place]:
        return None
    consumer.seek(place, offset)
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        for found in consumer.poll(timeout_ms=POLL_MS, max_records=1).values():
            for record in found:
                return _as_record(record)
    raise Failed(Exit.FAULT, "UNAVAILABLE", f"the broker gave nothing for {within:.0f} s", "", "referrals status")


def _records(consumer: KafkaConsumer, wanted: str, *, from_start: bool) -> Iterator[Record]:
    """What comes, also on topics that are made meanwhile: of those, all."""
    known: set[TopicPartition] = set()
    looked = 0.0
    while True:
        if not known or time.monotonic() - looked > LOOK_FOR_TOPICS_EVERY:
            looked = time.monotonic()
            known = _take(consumer, wanted, known, from_start=from_start)
        if not known:
            time.sleep(POLL_MS / 1000)
            continue
        batch = [record for found in consumer.poll(timeout_ms=POLL_MS).values() for record in found]
        for record in sorted(batch, key=lambda found: int(found.timestamp)):
            yield _as_record(record)


def _take(consumer: KafkaConsumer, wanted: str, known: set[TopicPartition], *, from_start: bool) -> set[TopicPartition]:
    """Assign what is new beside what is known, whose places stay; returns all of it."""
    names = sorted(name for name in consumer.topics() if not name.startswith("__") and wanted in name)
    found = {TopicPartition(name, number) for name in names for number in consumer.partitions_for_topic(name) or ()}
    new = found - known
    if not new:
        return known
    places = {partition: consumer.position(partition) for partition in known}
    consumer.assign(sorted(known | new))
    for partition, place in places.items():
        consumer.seek(partition, place)
    if known or from_start:
        consumer.seek_to_beginning(*new)
    else:
        for partition, end in consumer.end_offsets(list(new)).items():
            consumer.seek(partition, end)
    return known | new


def _as_record(record: Any) -> Record:
    headers = tuple((name, value or b"") for name, value in record.headers)
    place = (record.topic, record.partition, record.offset)
    return Record(*place, record.timestamp, record.key, record.value, headers)
