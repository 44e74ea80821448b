"""Faust as it comes, for the test that shows what it loses: an agent that raises at one value.

Run as `python -m tests.integration.kafka_in.stock <options as JSON>`; writes down each record like reader.py.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator

import faust


async def consume(options: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    done = os.open(options["done"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    app = faust.App(
        options["group"],
        broker=f"kafka://{options['servers']}",
        broker_credentials=faust.SASLCredentials(
            username=options["username"], password=os.environ["KAFKA_PASSWORD"], mechanism="SCRAM-SHA-256"
        ),
        loop=loop,
        datadir=options["data"],
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=True,
        broker_commit_interval=1,
    )

    @app.agent(app.topic(options["topic"], value_type=bytes, value_serializer="raw"))
    async def take(values: faust.StreamT[bytes]) -> AsyncIterator[None]:
        async for event in values.events():
            if event.value == options["fails_on"].encode():
                raise RuntimeError("as a decider with a bug would")
            os.write(done, f"{event.message.partition} {event.message.offset}\n".encode())
            yield

    app.finalize()
    await app.start()
    await stopped.wait()
    await app.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(consume(json.loads(sys.argv[1])))
