"""The usual way: a handler that inserts, then sends and waits for the broker. Nothing is sealed."""

from __future__ import annotations

from typing import Any

import grpc
from kafka import KafkaProducer
from pymongo import MongoClient

from safeguarding.v1 import intake_pb2
from tests.performance.arms.serving import OtherRpcs, serve
from tests.performance.arms.told import access, told


class Usual(OtherRpcs):
    """Stores, sends, answers."""

    def __init__(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(told()["mongo_url"])
        self._concerns = client["intake_usual"]["concerns"]
        self._producer = KafkaProducer(**access().producer("bench"))

    def RaiseConcern(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RaiseConcernRequest, context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernResponse:
        """Insert, send, wait."""
        key, raw = request.idempotency_key, request.concern.SerializeToString()
        self._concerns.insert_one({"_id": key, "concern": raw})
        self._producer.send(told()["sink"], raw, key=key.encode()).get(30)
        return intake_pb2.RaiseConcernResponse(referral_id=key)


if __name__ == "__main__":
    serve(Usual())
