"""Optional equality questions: kept apart from the referral, in a collection of their own, and counted with masking.

No fact tells of an answer, so none lies on a topic, in a copy, in a journey or in audit's timeline. A record's id is a
keyed hash of the referral's, and its content is sealed under a key of its own: the store alone links no answer to a
case. Only intake can, so that whoever answered may change or take back what they said, and so that an erasure finds it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterator
from datetime import UTC
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError
from pymongo import ASCENDING
from pymongo.collection import Collection as MongoCollection

from safeguarding.v1 import access_pb2, equality_pb2, equality_pb2_grpc
from safeguarding.v1.equality_pb2 import EqualityAnswers, EqualityQuestion, EqualityRecord
from services.chassis import logs
from services.chassis.calls import caller
from services.chassis.deciding import Refused, Why
from services.chassis.engine.store import answering
from services.chassis.language import EnumWords
from services.chassis.sealing import CannotOpen, KeyWrapper
from services.chassis.service import Parts
from services.intake.domain import State
from services.intake.views import Referrals
from services.known import Known
from services.quarters import quarter
from services.tables import One, Plan, figure_of

COLLECTION = "equality"
_WHAT = "equality"
ID_BYTES = 16
log = logs.get(__name__)


class Answers:
    """The collection. Thread-safe; raises Away where the store does not answer."""

    def __init__(self, collection: MongoCollection[dict[str, Any]], key_encryption_key: bytes) -> None:
        self._collection = collection
        self._id_key = hmac.digest(key_encryption_key, b"equality-id", "sha256")
        self._wrapper = KeyWrapper(hmac.digest(key_encryption_key, b"equality-answers", "sha256"))

    def prepare(self) -> None:
        """Make the index by which a quarter is read; the local store scans instead."""
        with answering():
            self._collection.create_index([("quarter", ASCENDING)])

    def keep(self, referral_id: str, raised_in: str, record: EqualityRecord) -> None:
        """Keep the answers; they take the place of earlier ones."""
        of = self._id(referral_id)
        sealed = self._wrapper.wrap(of, _WHAT, record.SerializeToString(deterministic=True))
        with answering():
            self._collection.replace_one({"_id": of}, {"_id": of, "quarter": raised_in, "sealed": sealed}, upsert=True)

    def forget(self, referral_id: str) -> None:
        """Take the answers away; those that are not there are no error."""
        with answering():
            self._collection.delete_one({"_id": self._id(referral_id)})

    def forget_erased(self, referrals: MongoCollection[dict[str, Any]]) -> None:
        """Take away what came back with a store from a backup, where a referral's tombstones say that it had gone."""
        with answering():
            for document in referrals.find({"view.erased": {"$gt": ""}}, {"_id": 1}):
                self._collection.delete_one({"_id": self._id(document["_id"])})

    def of_quarter(self, wanted: str) -> list[EqualityRecord]:
        """What was answered, in no order that tells who answered when."""
        with answering():
            found = list(self._collection.find({"quarter": wanted}).sort([("_id", ASCENDING)]))
        return [record for document in found if (record := self._opened(document)) is not None]

    def _opened(self, document: dict[str, Any]) -> EqualityRecord | None:
        try:
            return EqualityRecord.FromString(self._wrapper.unwrap(document["_id"], _WHAT, bytes(document["sealed"])))
        except (CannotOpen, DecodeError) as error:
            log.error("equality_answers_unreadable", error=type(error).__name__)
            return None

    def _id(self, referral_id: str) -> str:
        return hmac.digest(self._id_key, referral_id.encode(), "sha256")[:ID_BYTES].hex()


class Question(NamedTuple):
    """One question: its field, and the words of its answers."""

    field: str
    words: EnumWords


def question_of(number: int) -> Question:
    """The question of that number."""
    name = EqualityQuestion.Name(number).removeprefix("EQUALITY_QUESTION_").lower()  # type: ignore[arg-type]
    field = EqualityAnswers.DESCRIPTOR.fields_by_name[name]
    return Question(name, EnumWords(field.enum_type))  # type: ignore[arg-type]  # every answer is an enum


def plan(number: int, areas: Collection[str]) -> Plan:
    """Area by answer. Whoever did not answer this question is not counted: nobody must be worked out by it."""
    question = question_of(number)

    def count(record: EqualityRecord) -> Iterator[One]:
        answer = getattr(record.answers, question.field)
        if answer:
            yield One(record.area, question.words.word(answer))

    return Plan(sorted(areas), list(question.words), count)


class EqualityApi(equality_pb2_grpc.EqualityServicer):
    """Whoever raised a concern answers; whoever plans reads masked counts."""

    def __init__(self, parts: Parts[State], answers: Answers, areas: Callable[[], Collection[str]]) -> None:
        self._parts = parts
        self._answers = answers
        self._areas = areas
        self._referrals = Referrals(parts.collection)

    def AnswerEquality(  # noqa: N802 - the RPC's name
        self, request: equality_pb2.AnswerEqualityRequest, context: grpc.ServicerContext
    ) -> equality_pb2.AnswerEqualityResponse:
        """Keep, change or take back one's own answers."""
        known = self._known(request.referral_id)
        given = bool(request.answers.ListFields())
        if given:
            _refuse_erased(known)
        if given and known.raised is not None and known.raised_at is not None:
            record = EqualityRecord(area=known.raised.area, answers=request.answers)
            self._answers.keep(request.referral_id, quarter(known.raised_at.ToDatetime(UTC)), record)
            # An erasure in between took answers away before these were there: whichever comes last sees the other.
            known = self._known(request.referral_id)
            if known.erased:
                self._answers.forget(request.referral_id)
            _refuse_erased(known)
        else:
            self._answers.forget(request.referral_id)
        return equality_pb2.AnswerEqualityResponse(kept=given)

    def GetEqualityFigure(  # noqa: N802 - the RPC's name
        self, request: equality_pb2.GetEqualityFigureRequest, context: grpc.ServicerContext
    ) -> equality_pb2.GetEqualityFigureResponse:
        """How one question was answered in one quarter."""
        figure = figure_of(plan(request.question, self._areas()), self._answers.of_quarter(request.quarter))
        self._parts.access.record(
            caller(),
            access_pb2.ACCESS_KIND_SEARCHED,
            "Equality/GetEqualityFigure",
            reason="figures",
            referral_ids=[],
        )
        return equality_pb2.GetEqualityFigureResponse(figure=figure)

    def _known(self, referral_id: str) -> Known:
        """The caller's own referral; foreign and absent answer alike."""
        found = self._referrals.find(referral_id)
        if found is None or not found[0].state.shown_to(caller().actor()):
            right = "name a referral that you raised"
            raise Refused(Why.UNKNOWN, "no such referral of yours", right, field="referral_id")
        return found[0].state.known


def _refuse_erased(known: Known) -> None:
    if known.erased:
        raise Refused(Why.ILLEGAL, "somebody was erased from the referral", "nothing is asked about it any more")
