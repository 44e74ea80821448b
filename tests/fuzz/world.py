"""Referrals at every point of their life on the stage, and the hostile calls and records that are tried on them."""

from __future__ import annotations

import copy
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from safeguarding.v1 import common_pb2, concern_pb2, intake_pb2, partner_pb2, routing_pb2, triage_pb2
from safeguarding.v1.partner_pb2 import Reply
from services import topics
from services.chassis.kafka_in.chunk import Record
from services.chassis.sealing import reply_info, seal_to
from tests.fuzz.doors import Doors
from tests.fuzz.mutating import Dice, bent, wrong_bytes
from tests.fuzz.stage import FACTS, PUBLIC, TOPICS, Defect, Stage
from tests.integration.bad_input import right_requests as right

ROLES = ("officer", "volunteer", "public", "triage", "supervisor", "protection", "auditor", "operator", "system")
STEPS: Sequence[Mapping[str, Any]] = (
    {"received": partner_pb2.ReceivedReply()},
    {"accepted": partner_pb2.AcceptedReply()},
    {"declined": partner_pb2.DeclinedReply(reason=partner_pb2.DECLINE_REASON_NO_CAPACITY)},
    {"progress": partner_pb2.ProgressReply()},
    {"progress": partner_pb2.ProgressReply(on_hold=True)},
    {"outcome": partner_pb2.OutcomeReply(outcome=partner_pb2.OUTCOME_SUPPORTED)},
    {"failed": partner_pb2.FailedReply(reason=partner_pb2.FAILURE_REASON_UNREACHABLE)},
    {"told": partner_pb2.ToldReply(audience=partner_pb2.AUDIENCE_VICTIM)},
    {"recall_acknowledged": partner_pb2.RecallAcknowledgedReply()},
)
TIMES = (timedelta(0), timedelta(minutes=30), timedelta(hours=25), timedelta(days=8), timedelta(days=400))
CANARY = "Jane-Canary"
"""Stands in every personal text; a status that holds it has told on somebody."""


class World:
    """One case after the other; every so often back to the beginning, where referrals are at all points of life."""

    EVERY = 40
    """Cases between two returns."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder / "directory")
        self.doors = Doors(self.stage, folder / "log")
        for role in ROLES:
            self.doors.enter(role, f"{role}-1")
        for service in topics.SERVICES:
            self.doors.enter("service", service)
        self._live()
        self.records = list(self.stage.bus.records)
        """Right records of every kind; and where they lie."""
        self._log = folder / "written"
        self._begin = self.stage.save()
        self._cases = 0
        self._keys = 0
        self.back()

    # -- cases -----------------------------------------------------------------------------------------------------

    def call(self, dice: Dice) -> str:
        """One hostile call: the code that it was answered with."""
        self._next()
        method = dice.choice(self.doors.methods)
        role, base = right.RIGHT[method]
        role = dice.choice(ROLES) if dice.random() < 0.1 else role
        who = {"partner": dice.choice(self.stage.partners), "service": "triage"}.get(role, f"{role}-1")
        request = self._aimed(base, dice)
        raw = wrong_bytes(request, dice, self._words(dice))
        before = self._documents()
        given = [raw, *(request.SerializeToString() for _ in range(dice.randrange(3)))]
        answered = self.doors.call(method, role, who, given if method.endswith("/RaiseConcerns") else raw)
        if answered.status is not None:
            if self._documents() != before:
                raise Defect(f"{method} was refused with {answered.status.code}, and changed something")
            if CANARY.encode() in answered.status.SerializeToString():
                raise Defect(f"{method}: the refusal says what the request held")
        if dice.random() < 0.1:
            self.stage.settle()
        return str(answered.status.code if answered.status is not None else 0)

    def fact(self, dice: Dice) -> str:
        """One hostile record on a topic of facts or of replies, to each of its readers."""
        self._next()
        record = self._reply(dice) if dice.random() < 0.3 else self._fact(dice)
        before = {name: dict(service.engine.counts) for name, service in self.stage.services.items()}
        for service in self.stage.services:
            if self.stage.reads(service, record.topic):
                self.stage.hand(service, [record])
        if dice.random() < 0.1:
            self.stage.later(dice.choice(TIMES))
        if dice.random() < 0.1:
            for each in self.stage.services.values():
                each.engine.replay()
        self.stage.settle()
        return next(
            (
                kind
                for name, service in self.stage.services.items()
                for kind in ("parked", "refused", "repeated", "held", "applied")
                if service.engine.counts[kind] > before[name].get(kind, 0)
            ),
            "nothing",
        )

    # -- what is tried ---------------------------------------------------------------------------------------------

    def _aimed(self, base: Message, dice: Dice) -> Message:
        """The right request, about a referral that there is, in its present state."""
        request = copy.deepcopy(base)
        referral_id = dice.choice(self._ids)
        for holder in _within(request):
            names = holder.DESCRIPTOR.fields_by_name
            if "referral_id" in names:
                holder.referral_id = referral_id
            if "referral_ids" in names:
                del holder.referral_ids[:]
                holder.referral_ids.append(referral_id)
            if "leg_id" in names:
                holder.leg_id = self._leg(referral_id, dice)
            if "idempotency_key" in names:
                self._keys += 1
                holder.idempotency_key = f"fuzz-key-{self._keys:012d}"
            if "seen_sequence" in names:
                writer = "triage" if isinstance(holder, triage_pb2.DeskCommand) else "intake"
                holder.seen_sequence = self._length(writer, referral_id)
            for name in ("text", "note", "question", "reason", "given_names", "telephone"):
                if name in names and names[name].has_options and dice.random() < 0.5:
                    _mark(holder, name)
        return request

    def _fact(self, dice: Dice) -> Record:
        source = dice.choice([record for record in self.records if record.topic in _FACT_TOPICS])
        writer = _FACT_TOPICS[source.topic]
        fact = FACTS[writer].FromString(source.value)
        if dice.random() < 0.6:
            fact.header.referral_id = dice.choice(self._ids)
        if dice.random() < 0.8:
            fact.header.sequence = self._length_seen(writer, fact.header.referral_id, dice) + 1
            fact.header.event_id = str(_uuid(dice))
        key = fact.header.referral_id.encode()
        raw = wrong_bytes(fact, dice, self._words(dice))
        if dice.random() < 0.1:
            key = bent(key, dice)
        return self._placed(source.topic, key, raw, dice)

    def _reply(self, dice: Dice) -> Record:
        partner = dice.choice(self.stage.partners)
        referral_id = dice.choice(self._ids)
        reply = Reply(
            reply_id=str(_uuid(dice)),
            referral_id=referral_id,
            leg_id=self._leg(referral_id, dice, partner),
            **dice.choice(STEPS),
        )
        if dice.random() < 0.3:
            info = reply_info(partner, reply.leg_id, reply.reply_id)
            note = wrong_bytes(concern_pb2.Narrative(text=CANARY), dice)
            reply.sealed_note = seal_to(bytes.fromhex(PUBLIC), info, note)
        raw = wrong_bytes(reply, dice, self._words(dice)) if dice.random() < 0.7 else reply.SerializeToString()
        return self._placed(topics.partner_topics(partner)[1].name, reply.referral_id.encode(), raw, dice)

    def _placed(self, topic: str, key: bytes | None, raw: bytes | None, dice: Dice) -> Record:
        if dice.random() < 0.02:
            raw = None
        if dice.random() < 0.02:
            key = None
        headers = tuple((f"h{n}", dice.randbytes(5)) for n in range(dice.randrange(3)))
        self._keys += 1
        return Record(
            topic, dice.randrange(6), 10_000_000 + self._keys, dice.choice((0, -1, 2**62, 10**12)), key, raw, headers
        )

    def _words(self, dice: Dice) -> Sequence[str]:
        return (*self._ids, *self.stage.partners[:3], "respond_red", "decide", self._leg(dice.choice(self._ids), dice))

    def _leg(self, referral_id: str, dice: Dice, partner: str = "") -> str:
        legs = self._legs.get(referral_id, ())
        own = [leg for leg, whose in legs if whose == partner or not partner]
        return dice.choice(own) if own and dice.random() < 0.9 else right.LEG

    # -- the world -------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self._cases += 1
        if self._cases % self.EVERY == 0:
            self.back()

    def back(self) -> None:
        """Everything as at the beginning."""
        self.stage.restore(self._begin)
        self.doors.open()
        self._ids = [*self.stage.stores["intake"].documents, right.REFERRAL]
        self._legs: dict[str, list[tuple[str, str]]] = {}
        for referral_id, document in self.stage.stores["partner-routing"].documents.items():
            self._legs[referral_id] = _offered(document)

    def _documents(self) -> dict[str, dict[str, Any]]:
        return {
            name: {id_: document["revision"] for id_, document in store.documents.items()}
            for name, store in self.stage.stores.items()
        }

    def _length(self, service: str, referral_id: str) -> int:
        document = self.stage.stores[service].documents.get(referral_id)
        return len(document["facts"].get(service, ())) if document else 0

    def _length_seen(self, writer: str, referral_id: str, dice: Dice) -> int:
        readers = [name for name, reads in _READERS.items() if writer in reads]
        document = self.stage.stores[dice.choice(readers)].documents.get(referral_id)
        return len(document["facts"].get(writer, ())) if document else 0

    def _live(self) -> None:
        """Eight referrals, left where they are: raised, asked about, offered, taken on, declined, closed, hidden."""
        dice = random.Random("the world")
        for number in range(8):
            referral_id = self._raise(number)
            self.stage.settle()
            for _ in range(number):
                for partner in self._partners_of(referral_id):
                    self._step(referral_id, partner, dice)
                self.stage.settle()
            if number in (2, 5):
                self.stage.later(timedelta(hours=30))
        self._desk()

    def _raise(self, number: int) -> str:
        concern = right.concern()
        del concern.kinds[:]
        concern.kinds.append(
            common_pb2.CONCERN_KIND_VICTIM_SUPPORT if number % 4 == 1 else common_pb2.CONCERN_KIND_DOMESTIC_ABUSE
        )
        concern.signs.CopyFrom(
            concern_pb2.Signs(dash_score=15 if number % 4 != 1 else 1, child_lives_here=True, consents_to_support=True)
        )
        concern.subjects.append(right.subject(common_pb2.SUBJECT_ROLE_VICTIM))
        request = intake_pb2.RaiseConcernRequest(idempotency_key=f"the-world-{number:08d}", concern=concern)
        answered = self.doors.call("Intake/RaiseConcern", "officer", "officer-1", request.SerializeToString())
        if answered.answer is None:
            raise Defect(f"the world cannot begin: {answered.status}")
        return str(answered.answer.referral_id)

    def _partners_of(self, referral_id: str) -> list[tuple[str, str]]:
        document = self.stage.stores["partner-routing"].documents.get(referral_id)
        return _offered(document) if document else []

    def _step(self, referral_id: str, whose: tuple[str, str], dice: Dice) -> None:
        leg_id, partner = whose
        reply = Reply(reply_id=str(_uuid(dice)), referral_id=referral_id, leg_id=leg_id, **dice.choice(STEPS[:8]))
        self.stage.bus.write(topics.partner_topics(partner)[1].name, referral_id.encode(), reply.SerializeToString())

    def _desk(self) -> None:
        """The desk acts on some of them."""
        ids = list(self.stage.stores["triage"].documents)
        methods = ("RequestInformation", "OverrideGrade", "EnterInError", "TakeNoFurtherAction", "Route")
        for number, method in enumerate(methods):
            role, base = right.RIGHT[f"Triage/{method}"]
            for referral_id in ids[number : number + 3]:
                request: Any = copy.deepcopy(base)
                request.command.referral_id = referral_id
                request.command.idempotency_key = f"the-desk-{method}-{referral_id}"
                request.command.seen_sequence = self._length("triage", referral_id)
                self.doors.call(f"Triage/{method}", role, f"{role}-1", request.SerializeToString())
            self.stage.settle()


_FACT_TOPICS = {topic.name: writer for writer, topic in TOPICS.items()}
_READERS = {"intake": ("triage",), "triage": ("intake", "partner-routing"), "partner-routing": ("intake", "triage")}


def _offered(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Each leg with its partner."""
    facts = [routing_pb2.RoutingFact.FromString(raw) for raw in document["facts"].get("partner-routing", ())]
    return [(fact.offered.leg_id, fact.offered.partner_id) for fact in facts if fact.WhichOneof("fact") == "offered"]


def _within(message: Any) -> Iterator[Any]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if field.is_repeated else (value,):
                yield from _within(inner)


def _mark(holder: Any, name: str) -> None:
    field = holder.DESCRIPTOR.fields_by_name[name]
    if field.type == field.TYPE_STRING and field.GetOptions().debug_redact:
        setattr(holder, name, CANARY)


def _uuid(dice: Dice) -> Any:
    return uuid.UUID(int=dice.getrandbits(128), version=4)
