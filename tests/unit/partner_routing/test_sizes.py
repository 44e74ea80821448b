"""Whatever a raiser writes, and however often, each copy of it is one that a broker takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from google.protobuf.message import Message

from buf.validate import validate_pb2
from safeguarding.v1 import intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import CONCERN_KIND_CHILD_AT_RISK, FIELD_GROUP_NARRATIVE, SUBJECT_ROLE_CHILD, FieldGroup
from safeguarding.v1.concern_pb2 import Concern, Narrative
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.chassis import checking
from services.chassis.deciding import Context, Refused
from services.chassis.directory import Partner
from services.chassis.engine.document import Copy
from services.chassis.records import Heading
from services.chassis.sealing import KeyWrapper
from services.intake.domain import IntakeDecider
from services.intake.linking import Linker
from services.intake.sealed import Sealer
from services.known import Known
from services.partner_routing.copies import SUBJECT_PARTS, RoutingCopier
from services.partner_routing.domain import RoutingDecider
from tests.unit.domains import DESK, NOON, OFFICER, REFERRAL, SYSTEM, Life
from tests.unit.partner_routing.life import LEG, Area, Disclosed, reply, request, routed
from tests.unit.partner_routing.test_asking import QUESTION

BROKER_TAKES = 1_048_588
"""Bytes of one batch: message.max.bytes where nobody has set it."""
HEADROOM = 100_000
LETTER = "\N{SLICE OF PIZZA}"
"""Of four bytes."""
PARTNER = Partner("council-a", "Council A", "council", (), (), bytes(range(1, 33)), kafka=True, lead=False)


class Giving(Area):
    """Gives all that there is to give."""

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """See Area."""
        of_subjects = [(group, number, "all") for number in known.subjects for group in SUBJECT_PARTS]
        of_all = [(group, 0, "all") for group in FieldGroup.values() if group not in (0, *SUBJECT_PARTS, 11)]
        return Disclosed((*of_subjects, *of_all), ())

    def partner(self, partner_id: str) -> Partner | None:
        """The one that has Kafka."""
        return PARTNER if partner_id == PARTNER.id else None


def filled(message: Message) -> Any:
    """Every text as long as its rule lets it be, in the longest letters; what has a form of its own stays empty."""
    for field in message.DESCRIPTOR.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        if field.message_type is not None and not field.is_repeated:
            if field.message_type.full_name.startswith("safeguarding"):
                filled(getattr(message, field.name)).SetInParent()
        elif field.type == field.TYPE_STRING and not field.is_repeated and not rules.string.pattern:
            setattr(message, field.name, LETTER * rules.string.max_len)
    return message


def longest_concern() -> Concern:
    concern = Concern(kinds=[CONCERN_KIND_CHILD_AT_RISK], area="bristol")
    for _ in range(20):
        filled(concern.subjects.add(role=SUBJECT_ROLE_CHILD))
    for name in ("narrative", "place", "vehicle", "raiser"):
        filled(getattr(concern, name))
    assert not checking.violations(concern)
    return concern


class Told:
    """The longest concern, with as much supplied as intake takes; what intake recorded of it."""

    def __init__(self) -> None:
        wrapper = KeyWrapper(b"w" * 32)
        self._sealer = Sealer(wrapper, Linker(b"l" * 32), REFERRAL, {})
        self._life = Life(IntakeDecider())
        raised = self._sealer.raised(longest_concern())
        self.facts = self._life.say(intake_pb2.RaiseConcernRequest(), OFFICER, raised)
        self.facts += self._supplied(20_000)
        self.facts += self._supplied(1)
        wrapped = self._sealer.wrapped.items()
        ids = {path.removeprefix("keys."): key for path, key in wrapped}
        self.keys = {REFERRAL: {key_id: wrapper.unwrap(REFERRAL, key_id, key) for key_id, key in ids.items()}}

    def _supplied(self, letters: int) -> Iterator[IntakeFact]:
        """One after the other, until intake takes no more; at most so often that it would hold two copies' worth."""
        for version in count(self._life.state.known.next_version(FIELD_GROUP_NARRATIVE)):
            information = self._sealer.narrative(Narrative(text=LETTER * letters), version)
            body = intake_pb2.InformationSupplied(information=information)
            try:
                yield from self._life.say(intake_pb2.SupplyInformationRequest(), OFFICER, body)
            except Refused:
                return


def copies(told: Told) -> list[Copy]:
    """The offer, and the answer to the partner's question, each of all that was told."""
    life = Life(RoutingDecider(), Giving(), {"keys": told.keys, "notes": {"reply-0001": QUESTION}})
    *before, last = told.facts
    for fact in before:
        life.hear("intake", IntakeFact.FromString(fact.SerializeToString()))
    made = decided(life, life.hear("triage", routed(request()), DESK))
    reply(life, {"asked": {}}, key="reply-0001")
    asked = triage_pb2.InformationRequested(question=QUESTION, supplied_before=life.state.known.supplied, leg_id=LEG)
    life.hear("triage", triage_pb2.TriageFact(information_requested=asked), DESK)
    return made + decided(life, life.hear("intake", IntakeFact.FromString(last.SerializeToString())))


def decided(life: Life, facts: list[Any]) -> list[Copy]:
    return RoutingCopier().copies(life.state, facts, Context(NOON, life.rules, life.gathered, SYSTEM))


def on_the_wire(copy: Copy) -> int:
    """Bytes of the batch that the publisher sends: a record of this size goes alone."""
    batch = BatchBuilder(256 * 1024, 0)
    heading = Heading(copy.type, "/referrals/partner-routing", "safeguarding.v1.PartnerRecord")
    headers = heading.of(copy.event_id, REFERRAL.encode(), b"2026-11-20T12:00:00.123456Z", f"00-{'0' * 52}")
    batch.append(timestamp=0, key=REFERRAL.encode(), value=copy.value, headers=headers)
    return len(batch._build())


@pytest.fixture(scope="module")
def told() -> Told:
    return Told()


def test_the_longest_copies_that_a_raiser_can_bring_about_are_taken_by_a_broker_as_it_comes(told: Told) -> None:
    made = copies(told)

    assert [copy.type.rpartition(".")[2] for copy in made] == ["Offer", "AnswerNotice"]
    sizes = [on_the_wire(copy) for copy in made]
    assert max(sizes) < BROKER_TAKES - HEADROOM, sizes
    assert min(sizes) > 300_000, "the longest that there are"


def test_so_is_each_fact_of_intakes(told: Told) -> None:
    assert max(len(fact.SerializeToString()) for fact in told.facts) < BROKER_TAKES - HEADROOM
