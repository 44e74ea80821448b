"""Intake as the least that a concern cannot do without: what no Python around it can save, for rows 4 and 5.

gRPC with TLS as the services take it, the request parsed and held against its field rules, its personal parts and
match keys sealed by intake's own sealer, one fact built and named, one insert and one batch for all that wait, and the
answer. There is no engine: nobody is asked who they are, a repeat is not looked for, nothing is refused for want of
room, no request is hashed, no state is folded, no header, trace or metric is written, and what is stored is not looked
at again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import grpc
from aiokafka import AIOKafkaProducer
from google.protobuf.timestamp_pb2 import Timestamp
from pymongo import MongoClient

from safeguarding.v1 import intake_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.intake_pb2 import IntakeFact
from services.chassis.arrivals import Served
from services.chassis.calls import Guarded
from services.chassis.engine.document import event_id
from services.chassis.engine.publisher import SharedPublisher
from services.chassis.identity import Identity
from services.chassis.records import OutRecord
from services.chassis.sealing import KeyWrapper
from services.chassis.surely import surely_right
from services.intake.api import referral_id_of
from services.intake.bulk import reference
from services.intake.linking import Linker
from services.intake.sealed import Sealer
from tests.performance.arms.as_services import serve_as_services
from tests.performance.arms.serving import OtherRpcs
from tests.performance.arms.told import access, told

OFFICER = Identity(ROLE_OFFICER, "bench", "response_officer")
ACTOR = OFFICER.actor()
MOST_TOGETHER = 500
SECONDS = 30.0


class Made(NamedTuple):
    """One concern, ready to be kept."""

    referral_id: str
    raw: bytes
    keys: dict[str, bytes]


class Least:
    """Makes facts and keeps them."""

    def __init__(self) -> None:
        client: MongoClient[dict[str, Any]] = MongoClient(told()["mongo_url"])
        self._concerns = client[told()["environment"]["INTAKE_MONGO_DATABASE"]]["limit"]
        self._publisher = SharedPublisher(lambda: AIOKafkaProducer(**access().batch_producer("bench")))
        self._sink: str = told()["sink"]
        environment = told()["environment"]
        self._wrapper = KeyWrapper(bytes.fromhex(environment["INTAKE_KEY_ENCRYPTION_KEY"]))
        self._linker = Linker(bytes.fromhex(environment["INTAKE_LINKING_KEY"]))

    def made(
        self, request: intake_pb2.RaiseConcernRequest, now: Timestamp, answer: intake_pb2.RaiseConcernResponse
    ) -> Made:
        """The fact; and the answer is filled."""
        if not surely_right(request):
            raise ValueError("a concern of the scenario is wrong")
        cause = request.idempotency_key
        id = referral_id_of(OFFICER, cause)
        sealer = Sealer(self._wrapper, self._linker, id, {})
        fact = IntakeFact(raised=sealer.raised(request.concern))
        header = fact.header
        header.event_id = answer.event_id = event_id(id, cause, "raised//1")
        header.referral_id = answer.referral_id = id
        header.sequence = answer.sequence = 1
        header.occurred_at.CopyFrom(now)
        header.actor.CopyFrom(ACTOR)
        header.cause_id = cause
        answer.reference = reference(id)
        answer.recorded_at.CopyFrom(now)
        return Made(id, fact.SerializeToString(), sealer.wrapped)

    def keep(self, made: Sequence[Made]) -> None:
        """Store all, and have all acknowledged."""
        self._concerns.insert_many([{"_id": id, "fact": raw, "keys": list(keys.values())} for id, raw, keys in made])
        self._publisher.publish([OutRecord(self._sink, id.encode(), raw, []) for id, raw, _ in made], SECONDS)


class Limit(OtherRpcs):
    """Answers a stream on its own thread; unary calls never come here."""

    def __init__(self, least: Least) -> None:
        self._least = least

    def RaiseConcern(  # noqa: N802 - the RPC's name
        self, request: intake_pb2.RaiseConcernRequest, context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernResponse:
        """See Together."""
        raise NotImplementedError

    def RaiseConcerns(  # noqa: N802 - the RPC's name
        self, request_iterator: Iterator[intake_pb2.RaiseConcernsRequest], context: grpc.ServicerContext
    ) -> intake_pb2.RaiseConcernsResponse:
        """Keep each message as a whole."""
        response, now = intake_pb2.RaiseConcernsResponse(), Timestamp()
        for message in request_iterator:
            now.GetCurrentTime()
            self._least.keep([self._least.made(one, now, response.raised.add()) for one in message.concerns[:]])
        return response


class Together:
    """Unary calls: made on gRPC's thread, and all that wait kept by one insert and one batch."""

    def __init__(self, least: Least) -> None:
        self._least = least
        self._now = Timestamp()
        self._waiting: SimpleQueue[tuple[Made, Served, Any]] = SimpleQueue()
        Thread(target=self._run, daemon=True).start()

    def take(self, served: Served, _: Guarded, raw: bytes) -> None:
        """Take a call that was read, on gRPC's thread."""
        answer = intake_pb2.RaiseConcernResponse()
        self._now.GetCurrentTime()
        made = self._least.made(intake_pb2.RaiseConcernRequest.FromString(raw), self._now, answer)
        self._waiting.put((made, served, answer))

    def _run(self) -> None:
        while True:
            taken = [self._waiting.get()]
            while len(taken) < MOST_TOGETHER and not self._waiting.empty():
                taken.append(self._waiting.get())
            self._least.keep([made for made, _, _ in taken])
            for _, served, answer in taken:
                served.answer(answer)


def main() -> None:
    """Serve until ended."""
    least = Least()
    serve_as_services(Limit(least), Together(least).take)


if __name__ == "__main__":
    main()
