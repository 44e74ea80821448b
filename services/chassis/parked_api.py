"""The RPCs by which an operator sees what is parked and has it handled again."""

from __future__ import annotations

import uuid
from typing import Any

import grpc

from safeguarding.v1 import parked_pb2, parked_pb2_grpc
from services.chassis.calls import seconds_left
from services.chassis.deciding import Refused, Why
from services.chassis.engine import Away, Engine
from services.chassis.kafka_in.chunk import Position
from services.chassis.parked import Entry, ParkedRecords


class ParkedApi(parked_pb2_grpc.ParkedRecordsServicer):
    """Lists without content, replays in order."""

    def __init__(self, parked: ParkedRecords, engine: Engine[Any]) -> None:
        self._parked = parked
        self._engine = engine

    def ListParked(  # noqa: N802 - the RPC's name
        self, request: parked_pb2.ListParkedRequest, context: grpc.ServicerContext
    ) -> parked_pb2.ListParkedResponse:
        """What is parked, oldest first."""
        return parked_pb2.ListParkedResponse(items=[_item(entry) for entry in self._parked.entries()])

    def ReplayParked(  # noqa: N802 - the RPC's name
        self, request: parked_pb2.ReplayParkedRequest, context: grpc.ServicerContext
    ) -> parked_pb2.ReplayParkedResponse:
        """Handle parked records again, in order."""
        wanted = None
        if request.topic:
            position = Position(request.topic, request.partition, request.offset)
            if all(entry.record.position != position for entry in self._parked.entries()):
                raise Refused(Why.UNKNOWN, "no such parked record", "list the parked records first", field="offset")
            wanted = [position]
        futures = self._engine.replay(wanted)
        left = seconds_left(context)
        try:
            took_effect = [future.result(timeout=left) for future in futures]
        except TimeoutError as error:
            raise Away("engine", "replay goes on") from error
        return parked_pb2.ReplayParkedResponse(replayed=sum(took_effect), parked=took_effect.count(False))


def _item(entry: Entry) -> parked_pb2.ParkedItem:
    record = entry.record
    item = parked_pb2.ParkedItem(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        referral_id=_referral_id(record.key),
        error=entry.error,
        size=len(record.value or b""),
    )
    setattr(item, "class", entry.kind)
    item.parked_at.FromDatetime(entry.parked_at)
    return item


def _referral_id(key: bytes | None) -> str:
    """The key where it is a referral id; anything else may be personal and is not shown."""
    try:
        return str(uuid.UUID((key or b"").decode("ascii")))
    except ValueError:
        return ""
