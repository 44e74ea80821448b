"""The hop as a bare loop over kafka-python, the client under our own publisher: the floor of what is written here."""

from __future__ import annotations

from kafka import KafkaConsumer, KafkaProducer

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance.arms.told import access, told
from tests.performance.choosing import chosen


def main() -> None:
    """Work until ended."""
    consumer = KafkaConsumer(**access().consumer("bench", told()["group"]))
    consumer.subscribe([told()["source"]])
    producer = KafkaProducer(**access().producer("bench"))
    sinks = told()["sinks"]
    while True:
        batches = consumer.poll(timeout_ms=500)
        sent = [
            producer.send(sinks[chosen(IntakeFact.FromString(record.value))], record.value, key=record.key)
            for records in batches.values()
            for record in records
        ]
        if sent:
            producer.flush(30)
            for future in sent:
                future.get(30)
            consumer.commit_async()


if __name__ == "__main__":
    main()
