"""Whether services have handled the facts before them: some lie for a moment, in which a house only seems to rest."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from services.cli.local.stack import Stack
from services.cli.rebuild import SOURCES


def facts_wait(stack: Stack) -> bool:
    """Whether some service has not yet handled a fact, as far as it has told the broker: each second."""
    consumer = KafkaConsumer(**stack.kafka_login(), enable_auto_commit=False)
    try:
        with stack.admin() as admin:
            for service, sources in SOURCES.items():
                handled = {place: told.offset for place, told in admin.list_group_offsets(service)[service].items()}
                places = [TopicPartition(read.name, n) for read in sources.upstreams.values() for n in range(6)]
                ends = consumer.end_offsets(places)
                if any(handled.get(place, 0) < end for place, end in ends.items()):
                    return True
    finally:
        consumer.close(autocommit=False)
    return False
