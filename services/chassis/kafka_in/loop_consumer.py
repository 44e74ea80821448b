"""aiokafka's consumer on the loop of the app.

Faust gives aiokafka a thread and a loop of its own, for agents that keep the app's loop busy. Ours only hands on, and a
hand-over between threads costs a record more than all that is done with it on its way: there were two for each fetch.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, cast

import aiokafka
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode import Service
from mode.utils.futures import maybe_async

FETCH_SECONDS: Final = 1.0
COMMIT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch brought, and the assignment it was made under."""

    assignment: object
    records: dict[TP, list[Any]]


class LoopConsumer(driver.AIOKafkaConsumerThread):
    """What Faust calls the consumer's thread, on the app's loop: our settings, and fetches that know their assignment.

    Mode's service of a thread of its own becomes an ordinary one again: started, stopped and crashed like any other.
    """

    wait_for_shutdown = False
    start = Service.start
    maybe_start = Service.maybe_start
    stop = Service.stop
    set_shutdown = Service.set_shutdown
    _stopped_set = Service._stopped_set
    _stop_children = Service._default_stop_children
    _stop_futures = Service._default_stop_futures
    _stop_exit_stacks = Service._default_stop_exit_stacks

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, beacon: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, beacon=beacon)

    async def crash(self, exc: BaseException) -> None:
        """As any other service."""
        await Service.crash(self, exc)

    async def on_stop(self) -> None:
        """Leave the group."""
        await self.on_thread_stop()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call it here: there is no other thread."""
        return await maybe_async(fun(*args, **kwargs))

    @Service.task
    async def _thread_keepalive(self) -> None:
        """Do nothing: there is no second loop to be kept awake."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        settings = cast(Any, transport).settings
        return aiokafka.AIOKafkaConsumer(partition_assignment_strategy=[RoundRobinPartitionAssignor], **settings)

    def assignment_token(self) -> object:
        """Return what changes with every assignment and with nothing else; None while there is none."""
        subscription = self._ensure_consumer()._subscription.subscription
        return subscription.assignment if subscription is not None else None

    async def fetch(self) -> Fetched:
        """Wait up to a second for records of any assigned partition. Raises KafkaError."""
        consumer = self._ensure_consumer()
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        with consumer._subscription.fetch_context():
            records = await consumer._fetcher.fetched_records(
                (), timeout=FETCH_SECONDS, max_records=consumer._max_poll_records
            )
        # Nothing is awaited between the records' return and this line: they belong to this assignment.
        return Fetched(self.assignment_token(), records)

    async def commit_offsets(self, offsets: dict[tuple[str, int], int]) -> None:
        """Commit, in the generation that this member is in. Raises KafkaError or TimeoutError."""
        wanted = {TopicPartition(*place): OffsetAndMetadata(offset, "") for place, offset in offsets.items()}
        # aiokafka repeats for ever while the broker is away, perhaps into another generation: bounded here.
        await asyncio.wait_for(self._ensure_consumer().commit(wanted), COMMIT_SECONDS)

    def rest(self, topics: Collection[str], seconds: float) -> None:
        """Ask for nothing more of these topics for so long, unless partitions change hands meanwhile."""
        consumer, token = self._ensure_consumer(), self.assignment_token()
        resting = [partition for partition in consumer.assignment() if partition.topic in topics]
        consumer.pause(*resting)

        def go_on() -> None:
            if self.assignment_token() is token:  # else they are others', or were assigned anew, which nothing pauses
                consumer.resume(*resting)

        self.loop.call_later(seconds, go_on)
