"""The verdict: each way in which clients and partners can disagree is counted, and agreement is clean."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from safeguarding.v1.intake_pb2 import RaiseConcernResponse
from safeguarding.v1.partner_pb2 import AnswerNotice, Copy, ExpiryNotice, Offer, RefusalNotice, ReminderNotice
from services.cli.scenario import ScenarioConcern
from tests.chaos import load
from tests.chaos.judging import Verdict
from tests.chaos.ledger import Ledger, Submission

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
REFERRAL = str(uuid.uuid4())


def a_concern() -> ScenarioConcern:
    return next(stated for stated in load.concerns() if len(stated.partners) == 2)


def an_answer(referral_id: str = REFERRAL, event_id: str = "e1") -> RaiseConcernResponse:
    return RaiseConcernResponse(referral_id=referral_id, event_id=event_id, sequence=1)


def an_offer(leg: str = "leg", referral_id: str = REFERRAL, at: datetime = NOON) -> Copy:
    copy = Copy(referral_id=referral_id, leg_id=leg, offer=Offer())
    copy.occurred_at.FromDatetime(at)
    return copy


def a_run(*, reads: bool = True, closes: bool = True) -> Ledger:
    ledger = Ledger()
    stated = a_concern()
    ledger.acknowledged(Submission("key-1", stated), an_answer())
    for partner in stated.partners if reads else ():
        ledger.read(partner, f"event-{partner}", b"copy", an_offer(f"leg-{partner}"))
    if closes:
        ledger.closed(REFERRAL)
    return ledger


def test_what_was_acknowledged_read_by_all_its_partners_and_told_closed_is_clean() -> None:
    assert a_run().verdict() == Verdict(1, 0, 0, 0, 0, ())
    assert a_run().verdict().clean


def test_a_referral_that_was_never_told_closed_is_lost() -> None:
    assert a_run(closes=False).verdict().lost == 1


def test_each_partner_that_never_read_its_copy_is_a_loss() -> None:
    assert a_run(reads=False).verdict().lost == 2


def test_the_same_bytes_again_are_a_repeat_and_no_fault() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))

    assert not ledger.read(partner, f"event-{partner}", b"copy", an_offer(f"leg-{partner}"))

    assert ledger.verdict() == Verdict(1, 0, 0, 1, 0, ())


def test_one_event_with_two_contents_is_a_duplicate() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))

    ledger.read(partner, f"event-{partner}", b"another", an_offer(f"leg-{partner}"))

    assert ledger.verdict().duplicated == 1


def test_a_second_leg_at_the_same_partner_is_a_duplicate() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))

    ledger.read(partner, "event-2", b"copy 2", an_offer("leg-2"))

    assert ledger.verdict().duplicated == 1


def test_a_key_with_two_answers_is_a_duplicate() -> None:
    ledger = a_run()

    ledger.acknowledged(Submission("key-1", a_concern()), an_answer(str(uuid.uuid4())))

    assert ledger.verdict().duplicated == 1


def test_a_partner_that_nobody_demanded_and_a_referral_that_nobody_raised_are_duplicates() -> None:
    ledger = a_run()

    ledger.read("turning-tide", "event-3", b"copy 3", an_offer("leg-3"))
    ledger.read("turning-tide", "event-4", b"copy 4", an_offer("leg-4", referral_id=str(uuid.uuid4())))

    assert ledger.verdict().duplicated == 2


def test_an_earlier_copy_after_a_later_one_is_out_of_order() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))
    earlier = Copy(referral_id=REFERRAL, leg_id=f"leg-{partner}", refusal=RefusalNotice())
    earlier.occurred_at.FromDatetime(NOON - timedelta(seconds=1))

    ledger.read(partner, "event-5", b"copy 5", earlier)

    verdict = ledger.verdict()
    assert verdict.out_of_order == 1
    assert not verdict.clean
    assert any("refusal" in said for said in verdict.said), "no partner's reply should be refused"


def test_all_partners_having_answered_is_told_once_in_whatever_order_it_is_learned() -> None:
    told: list[str] = []
    ledger = Ledger(on_answered=lambda referral_id, _: told.append(referral_id))
    stated = a_concern()
    first, second = stated.partners

    ledger.answered(first, REFERRAL)
    ledger.answered(second, REFERRAL)
    assert told == []
    ledger.acknowledged(Submission("key-1", stated), an_answer())

    assert told == [REFERRAL]


def an_answer_of_the_raiser(partner: str, at: datetime = NOON) -> Copy:
    copy = Copy(referral_id=REFERRAL, leg_id=f"leg-{partner}", answer=AnswerNotice())
    copy.occurred_at.FromDatetime(at)
    return copy


def test_an_answer_after_its_offer_is_a_second_copy_in_order() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))

    ledger.asked(partner, REFERRAL, f"leg-{partner}")
    assert ledger.is_asked(REFERRAL)
    ledger.read(partner, "event-6", b"copy 6", an_answer_of_the_raiser(partner, NOON + timedelta(seconds=1)))

    assert not ledger.is_asked(REFERRAL)
    assert ledger.answers == 1
    assert ledger.verdict().clean


def test_an_answer_before_its_offer_is_out_of_order_though_their_times_are_not() -> None:
    ledger = a_run(reads=False)
    partner = next(iter(a_concern().partners))

    ledger.asked(partner, REFERRAL, f"leg-{partner}")
    ledger.read(partner, "event-6", b"copy 6", an_answer_of_the_raiser(partner))
    ledger.read(partner, "event-7", b"copy 7", an_offer(f"leg-{partner}"))

    assert ledger.verdict().out_of_order == 1


def test_a_question_without_an_answer_is_a_loss_and_one_with_two_a_duplicate() -> None:
    ledger = a_run()
    partner, other = a_concern().partners
    for each in (partner, other):
        ledger.asked(each, REFERRAL, f"leg-{each}")

    for event in ("event-6", "event-7"):
        ledger.read(partner, event, b"copy", an_answer_of_the_raiser(partner))

    verdict = ledger.verdict()
    assert (verdict.lost, verdict.duplicated) == (1, 1)
    assert any(f"{other} asked" in said for said in verdict.said)


def test_an_answer_that_nobody_asked_for_is_said() -> None:
    ledger = a_run()
    partner = next(iter(a_concern().partners))

    ledger.read(partner, "event-6", b"copy 6", an_answer_of_the_raiser(partner))

    assert any("had not asked" in said for said in ledger.verdict().said)


def test_the_raiser_hears_of_a_question_in_whatever_order_it_is_learned() -> None:
    told: list[str] = []
    ledger = Ledger(on_asked=lambda referral_id, _: told.append(referral_id))

    ledger.asked("turning-tide", REFERRAL, "leg")
    assert told == []
    ledger.acknowledged(Submission("key-1", a_concern()), an_answer())

    assert told == [REFERRAL]


def test_where_clocks_are_set_an_earlier_time_is_no_disorder_and_an_answer_before_its_offer_is() -> None:
    partner = next(iter(a_concern().partners))
    earlier = an_answer_of_the_raiser(partner, NOON - timedelta(days=1))
    orders = ([an_offer(f"leg-{partner}"), earlier], [earlier, an_offer(f"leg-{partner}")])

    found = []
    for copies in orders:
        ledger = Ledger(clocks_are_right=False)
        ledger.asked(partner, REFERRAL, f"leg-{partner}")
        for number, copy in enumerate(copies):
            ledger.read(partner, f"event-{number}", b"copy", copy)
        found.append(ledger.verdict().out_of_order)

    assert found == [0, 1]


def test_where_clocks_are_set_a_deadline_may_run_out_early_and_where_they_are_right_it_may_not() -> None:
    partner = next(iter(a_concern().partners))
    reminded = Copy(referral_id=REFERRAL, leg_id="first", reminder=ReminderNotice())
    reminded.occurred_at.FromDatetime(NOON)

    found = []
    for right in (True, False):
        ledger = Ledger(clocks_are_right=right)
        for number, copy in enumerate((an_offer("first"), reminded, an_offer("second"))):
            ledger.read(partner, f"event-{number}", b"copy", copy)
        found.append(len(ledger.troubles))

    assert found == [2, 0]


def in_place(*, right: bool, legs: int) -> Ledger:
    """One of two partners never reads the concern; the other is offered it on so many legs."""
    ledger = Ledger(clocks_are_right=right)
    ledger.acknowledged(Submission("key-1", a_concern()), an_answer())
    partner = next(iter(a_concern().partners))
    for number in range(legs):
        ledger.read(partner, f"event-{number}", b"copy", an_offer(f"leg-{number}"))
    ledger.closed(REFERRAL)
    return ledger


def test_where_clocks_are_set_whoever_never_read_a_concern_is_no_loss_only_where_another_was_asked_in_their_place() -> (
    None
):
    assert in_place(right=False, legs=2).verdict().clean
    assert in_place(right=False, legs=2).verdict().in_place == 1
    assert in_place(right=False, legs=1).verdict().lost == 1
    assert in_place(right=True, legs=2).verdict().lost == 1


def test_each_leg_of_a_partner_has_its_own_question_and_needs_its_own_answer() -> None:
    partner = next(iter(a_concern().partners))
    ledger = Ledger(clocks_are_right=False)
    for number, leg in enumerate(("first", "second")):
        ledger.read(partner, f"offer-{number}", b"copy", an_offer(leg))
        ledger.asked(partner, REFERRAL, leg)
    answer = Copy(referral_id=REFERRAL, leg_id="first", answer=AnswerNotice())
    ledger.read(partner, "answer-0", b"copy", answer)

    assert ledger.is_asked(REFERRAL)

    answer.leg_id = "second"
    ledger.read(partner, "answer-1", b"copy", answer)

    assert not ledger.is_asked(REFERRAL)
    assert (ledger.answers, ledger.verdict().duplicated) == (2, 1)  # the one: nobody was told of the referral


def a_silent_lead(*, right: bool) -> Ledger:
    """A partner is told that its answer came too late, and then that its reply was refused."""
    ledger = a_run(closes=False)
    ledger.clocks_are_right = right
    partner = next(iter(a_concern().partners))
    for kind, copy in {
        "expiry": Copy(referral_id=REFERRAL, expiry=ExpiryNotice()),
        "refusal": Copy(referral_id=REFERRAL, refusal=RefusalNotice()),
    }.items():
        copy.occurred_at.FromDatetime(NOON)
        ledger.read(partner, f"event-{kind}", b"copy", copy)
    return ledger


def test_what_ran_out_early_is_no_loss_while_it_lies_with_the_desk_and_is_one_where_it_does_not() -> None:
    ledger = a_silent_lead(right=False)

    assert ledger.ran_out == {REFERRAL}
    assert ledger.verdict(with_desk=ledger.ran_out).clean
    assert ledger.verdict().lost == 1


def test_where_clocks_are_right_nobody_is_told_that_their_answer_came_too_late() -> None:
    verdict = a_silent_lead(right=True).verdict()

    assert (verdict.lost, len(verdict.said)) == (1, 3)


def test_a_refusal_before_anything_ran_out_is_wrong_also_where_clocks_are_set() -> None:
    ledger = a_run()
    ledger.clocks_are_right = False
    partner = next(iter(a_concern().partners))
    ledger.read(partner, "event-refusal", b"copy", Copy(referral_id=REFERRAL, refusal=RefusalNotice()))

    assert len(ledger.verdict().said) == 1


def lead_in_place(*, right: bool, late: bool) -> Verdict:
    """A partner whom nobody demanded is asked, where one of two did not answer in time, or for no reason at all."""
    ledger = a_run()
    ledger.clocks_are_right = right
    partner = next(iter(a_concern().partners))
    if late:
        ledger.too_late(partner, REFERRAL)
    ledger.read("the-lead", "event-lead", b"copy", an_offer("leg-lead"))
    return ledger.verdict()


def test_where_clocks_are_set_whoever_nobody_demanded_is_no_duplicate_only_where_they_are_asked_in_anothers_place() -> (
    None
):
    assert lead_in_place(right=False, late=True).clean
    assert lead_in_place(right=False, late=False).duplicated == 1
    assert lead_in_place(right=True, late=True).duplicated == 1


def test_one_who_stands_in_for_a_partner_that_never_read_it_is_neither_loss_nor_duplicate() -> None:
    ledger = Ledger(clocks_are_right=False)
    first, _ = a_concern().partners
    ledger.acknowledged(Submission("key-1", a_concern()), an_answer())
    ledger.read(first, "event-first", b"copy", an_offer("leg-first"))
    ledger.read("the-lead", "event-lead", b"copy", an_offer("leg-lead"))
    ledger.closed(REFERRAL)

    assert ledger.verdict().clean
    assert ledger.verdict().in_place == 1


def test_where_clocks_are_right_an_inbox_that_takes_no_answer_any_more_is_wrong() -> None:
    ledger = a_run()
    ledger.too_late("an-inbox", REFERRAL)

    assert not ledger.verdict().clean
