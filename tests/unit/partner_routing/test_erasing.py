"""An erasure reaches every partner that was given something, whatever became of its leg, and each confirms it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from safeguarding.v1 import partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_PARTNER
from safeguarding.v1.common_pb2 import (
    CONCERN_KIND_CHILD_AT_RISK,
    FIELD_GROUP_IDENTITY,
    FIELD_GROUP_NARRATIVE,
    SERVICE_KIND_HOUSING,
    SUBJECT_ROLE_CHILD,
    Actor,
)
from safeguarding.v1.intake_pb2 import Erased, IntakeFact, Withdrawn
from safeguarding.v1.triage_pb2 import RequestedLeg
from services.chassis.deciding import Refused, Upstream
from services.chassis.keys import Keys, ReferralKeys
from services.known import Known
from services.partner_routing.domain import RoutingDecider
from services.partner_routing.gather import Gatherer
from services.partner_routing.views import inbox
from tests.unit.domains import DESK, REFERRAL, Life, kinds_of, raised, sealed
from tests.unit.partner_routing.life import (
    ACCEPTED,
    FULL,
    LEG,
    OTHER_LEG,
    SUPPORTED,
    Area,
    Disclosed,
    life_of,
    read_outcome,
    reply,
    request,
    routed,
)
from tests.unit.partner_routing.test_asking import answer, ask, put

CONFIRMED: dict[str, Any] = {"erasure_confirmed": partner_pb2.ErasureConfirmedReply()}


def erase(life: Life, subject: int = 1) -> list[Any]:
    """Intake erased a subject."""
    body = Erased(
        key_ids=[f"subject-{subject}", "narrative"],
        ground="article_17",
        subject=subject,
        parts=[sealed(FIELD_GROUP_NARRATIVE, "narrative-2", version=2)],
        narrative_key_id="narrative-2",
    )
    return life.hear("intake", IntakeFact(erased=body))


def test_every_partner_that_was_given_something_is_told_also_when_all_is_closed() -> None:
    life = life_of(request())
    reply(life, FULL)
    reply(life, ACCEPTED, "council-b", leg=list(life.state.legs)[-1])
    reply(life, SUPPORTED, "council-b", leg=list(life.state.legs)[-1])
    read_outcome(life)
    assert life.state.closed

    facts = erase(life)

    assert kinds_of(facts) == ["erasure_told", "erasure_told"]
    assert [(fact.erasure_told.partner_id, fact.erasure_told.subject) for fact in facts] == [
        ("council-a", 1),
        ("council-b", 1),
    ]
    assert all(fact.erasure_told.narrative for fact in facts)
    assert life.decider.view(life.state)["partners"] == ["council-a", "council-b"]


class Remembering(Keys):
    """Notes what is done with keys, and has none."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def forget(self, referral_id: str) -> None:
        """See Keys."""
        self.done.append(f"forget {referral_id}")

    def open(
        self, referral_ids: Collection[str], needed: Mapping[str, Iterable[str]] | None = None
    ) -> dict[str, ReferralKeys]:
        """See Keys."""
        self.done += [f"open {each}" for each in referral_ids]
        return {}


@pytest.mark.parametrize("erases", [True, False])
def test_keys_are_forgotten_before_any_is_used_after_an_erasure(erases: bool) -> None:
    keys = Remembering()
    state = life_of(request()).state
    fact = IntakeFact(erased=Erased(subject=1)) if erases else IntakeFact(withdrawn=Withdrawn())

    Gatherer(keys).gather([(state, Upstream(REFERRAL, "cause", Actor(), "intake", fact, 2))])

    assert keys.done == [*([f"forget {REFERRAL}"] if erases else []), f"open {REFERRAL}"]


class Withholding(Area):
    """Gives nothing at all."""

    def disclose(self, partner_id: str, request: RequestedLeg, known: Known, now: datetime) -> Disclosed:
        """See Area."""
        return Disclosed((), ((FIELD_GROUP_NARRATIVE, 0, "no_narrative"),))


@pytest.mark.parametrize("given", [True, False])
def test_a_partner_that_read_the_account_only_as_an_answer_is_told_to_delete_it(given: bool) -> None:
    life = Life(RoutingDecider(), Withholding())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    life.hear("triage", routed(request()), DESK)
    ask(life)
    put(life)
    life.rules = Area() if given else Withholding()
    [passed] = answer(life)
    assert passed.information_passed.given == given

    told = [(fact.erasure_told.partner_id, fact.erasure_told.narrative) for fact in erase(life)]

    assert told == ([("council-a", True)] if given else [])


def test_an_account_that_was_given_once_stays_given_though_a_later_answer_is_withheld() -> None:
    life = Life(RoutingDecider(), Withholding())
    life.hear("intake", raised([CONCERN_KIND_CHILD_AT_RISK], roles=[SUBJECT_ROLE_CHILD]))
    life.hear("triage", routed(request()), DESK)
    for number, rules in enumerate([Area(), Withholding()]):
        life.rules = rules
        ask(life, key=f"reply-000{number}")
        put(life, supplied_before=number)
        answer(life)

    assert [fact.erasure_told.narrative for fact in erase(life)] == [True]


def test_a_partner_confirms_wherever_its_leg_stands_and_once() -> None:
    life = life_of(request())
    with pytest.raises(Refused, match="nothing of this leg was erased"):
        life.say(routing_pb2.ConfirmErasureRequest(command=command()), Actor(role=ROLE_PARTNER, id="council-a"))
    assert kinds_of(reply(life, CONFIRMED)) == ["reply_refused"]
    erase(life)
    [item] = inbox([life.document], "council-a", 10)
    assert list(item.to_delete) == [1]

    assert kinds_of(reply(life, CONFIRMED)) == ["erasure_confirmed"]

    assert not life.state.legs[LEG].to_delete
    assert kinds_of(reply(life, CONFIRMED)) == ["reply_refused"]
    assert kinds_of(reply(life, ACCEPTED)) == ["accepted"], "its work goes on"


def test_by_the_inbox_it_is_confirmed_as_by_kafka() -> None:
    life = life_of(request())
    erase(life)

    facts = life.say(routing_pb2.ConfirmErasureRequest(command=command()), Actor(role=ROLE_PARTNER, id="council-a"))

    assert kinds_of(facts) == ["erasure_confirmed"]


def of(*subjects: int) -> dict[str, Any]:
    return {"erasure_confirmed": partner_pb2.ErasureConfirmedReply(subjects=subjects)}


@pytest.mark.parametrize("by_kafka", [True, False])
def test_what_was_erased_while_a_partner_confirmed_is_still_to_be_confirmed(by_kafka: bool) -> None:
    life = life_of(request(), roles=(SUBJECT_ROLE_CHILD, SUBJECT_ROLE_CHILD))
    erase(life)
    erase(life, 2)

    if by_kafka:
        [fact] = reply(life, of(1))
    else:
        body = routing_pb2.ConfirmErasureRequest(command=command(), subjects=[1])
        [fact] = life.say(body, Actor(role=ROLE_PARTNER, id="council-a"))

    assert list(fact.erasure_confirmed.subjects) == [1]
    assert life.state.legs[LEG].to_delete == {2}
    assert kinds_of(reply(life, of(1))) == ["reply_refused"], "nothing of them waits"
    assert kinds_of(reply(life, of(1, 2))) == ["erasure_confirmed"]
    assert not life.state.legs[LEG].to_delete


def test_a_partner_that_names_nobody_confirms_all_whom_it_was_told_of_as_facts_of_before_do() -> None:
    life = life_of(request(), roles=(SUBJECT_ROLE_CHILD, SUBJECT_ROLE_CHILD))
    erase(life)
    erase(life, 2)

    [fact] = reply(life, CONFIRMED)

    assert list(fact.erasure_confirmed.subjects) == [1, 2]
    fact.erasure_confirmed.ClearField("subjects")
    told = replace(life.state.legs[LEG], to_delete=frozenset({1, 2}))
    before = replace(life.state, legs={LEG: told})
    assert not life.decider.evolve(before, "partner-routing", fact).legs[LEG].to_delete


def command() -> routing_pb2.InboxCommand:
    return routing_pb2.InboxCommand(referral_id=REFERRAL, leg_id=LEG)


def test_what_was_erased_is_given_to_nobody_any_more() -> None:
    life = life_of(request())
    erase(life)

    life.hear("triage", routed(request(OTHER_LEG, SERVICE_KIND_HOUSING)))

    given = {(found.group, found.subject) for found in life.state.legs[OTHER_LEG].offered.given}
    assert (FIELD_GROUP_IDENTITY, 1) not in given
    assert (FIELD_GROUP_NARRATIVE, 0) in given, "what is left of it"
    assert not life.state.legs[OTHER_LEG].to_delete
