"""The hop as faust-streaming's guide writes it: an agent that awaits a send for each event, with its defaults."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers.aiokafka import Producer, Transport

from safeguarding.v1.intake_pb2 import IntakeFact
from tests.performance.arms.told import told
from tests.performance.choosing import chosen


class Idempotent(Producer):
    """What every arm promises; Faust's own producer does so only in transactions."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


def stock_app() -> faust.App:
    """A Faust app with its defaults, but for what all arms share and the web server's port."""
    Transport.Producer = Idempotent
    return faust.App(
        told()["group"],
        broker=f"kafka://{told()['servers']}",
        broker_credentials=faust.SASLCredentials(
            username=told()["username"], password=told()["password"], mechanism="SCRAM-SHA-256"
        ),
        consumer_auto_offset_reset="earliest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        store="memory://",
        datadir=Path("build", "bench", "faust"),  # or it makes a folder where it is started
    )


def work(app: faust.App) -> None:
    """Run the app's worker as its command does."""
    sys.argv = ["bench", "worker", "--without-web", "--loglevel", "warn"]
    app.main()


def main() -> None:
    """Work until ended."""
    app = stock_app()
    source = app.topic(told()["source"], value_type=bytes, value_serializer="raw", key_serializer="raw")
    sinks = [app.topic(name, value_serializer="raw", key_serializer="raw") for name in told()["sinks"]]

    @app.agent(source)
    async def hop(stream: Any) -> None:
        async for event in stream.events():
            fact = IntakeFact.FromString(event.value)
            await sinks[chosen(fact)].send(key=event.key, value=event.value)

    work(app)


if __name__ == "__main__":
    main()
