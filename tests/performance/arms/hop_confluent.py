"""The hop as a bare loop over confluent-kafka (librdkafka): consume, produce, flush, commit."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance.arms.told import librdkafka_consumer, librdkafka_producer, told
from tests.performance.choosing import chosen

AT_ONCE = 2_000


def main() -> None:
    """Work until ended."""
    consumer = Consumer(librdkafka_consumer())
    consumer.subscribe([told()["source"]])
    producer = Producer(librdkafka_producer())
    sinks = told()["sinks"]

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            raise KafkaException(error)

    while True:
        records = consumer.consume(AT_ONCE, 0.5)
        for record in records:
            if record.error():
                raise KafkaException(record.error())
            sink = sinks[chosen(IntakeFact.FromString(record.value()))]
            producer.produce(sink, record.value(), record.key(), on_delivery=delivered)
        producer.flush(30)
        if records:
            consumer.commit(asynchronous=True)


if __name__ == "__main__":
    main()
