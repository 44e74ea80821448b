"""kafka-python's own producer at its best settings: batches of 256 KiB that may wait 20 ms to fill."""

from __future__ import annotations

import threading

from kafka import KafkaProducer

from tests.performance.arms.told import access, told
from tests.performance.work import raised_facts

AT_ONCE = 5_000


def main() -> None:
    """Send the facts, then wait to be ended."""
    records = list(raised_facts(told()["events"]))
    producer = KafkaProducer(**access().producer("bench") | {"linger_ms": 20})
    [sink] = told()["sinks"]
    for first in range(0, len(records), AT_ONCE):
        sent = [producer.send(sink, record.value, key=record.key) for record in records[first : first + AT_ONCE]]
        for future in sent:
            future.get(30)
    threading.Event().wait()


if __name__ == "__main__":
    main()
