"""The hop on quixstreams, at least once, committed once a second. It runs in an environment without our packages."""

from __future__ import annotations

import json
import sys
from typing import Any

from quixstreams import Application
from quixstreams.kafka.configuration import ConnectionConfig

from safeguarding.v1.intake_pb2 import IntakeFact


def main() -> None:
    """Work until ended."""
    told: dict[str, Any] = json.load(sys.stdin)
    app = Application(
        broker_address=ConnectionConfig(
            bootstrap_servers=told["servers"],
            security_protocol="sasl_plaintext",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_username=told["username"],
            sasl_password=told["password"],
        ),
        consumer_group=told["group"],
        auto_offset_reset="earliest",
        processing_guarantee="at-least-once",
        commit_interval=1.0,
        auto_create_topics=False,
        producer_extra_config={"acks": "all", "enable.idempotence": True},
        loglevel="WARNING",
    )
    source = app.topic(told["source"], value_deserializer="bytes", key_deserializer="bytes")
    sinks = [app.topic(name, value_serializer="bytes", key_serializer="bytes") for name in told["sinks"]]

    def chosen(value: bytes, *_: Any) -> Any:
        return sinks[IntakeFact.FromString(value).raised.kinds[0] % len(sinks)]

    app.dataframe(source).to_topic(chosen)
    app.run()


if __name__ == "__main__":
    main()
