"""Whether services have handled the facts before them: some lie for a moment, in which a house only seems to rest."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from services.cli.local.stack import Stack
from services.cli.rebuild import SOURCES


def facts_wait(stack: Stack) -> bool:
    """Whether some service has not yet handled a fact, as far as it has told the broker: each second.

    Ends are read after what every service told: a fact that one publishes meanwhile waits for the others.
    """
    with stack.admin() as admin:
        handled = {
            service: {place: told.offset for place, told in admin.list_group_offsets(service)[service].items()}
            for service in SOURCES
        }
    consumer = KafkaConsumer(**stack.kafka_login(), enable_auto_commit=False)
    try:
        ends = consumer.end_offsets([TopicPartition(read.own.name, n) for read in SOURCES.values() for n in range(6)])
    finally:
        consumer.close(autocommit=False)
    return any(
        handled[service].get(TopicPartition(read.name, n), 0) < ends[TopicPartition(read.name, n)]
        for service, sources in SOURCES.items()
        for read in sources.upstreams.values()
        for n in range(6)
    )
