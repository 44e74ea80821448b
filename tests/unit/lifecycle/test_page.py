"""The page of the life-cycle says what the table says."""

from __future__ import annotations

from deploy.make_lifecycle import PAGE, diagram, page
from services.lifecycle import LEG_MOVES, REFERRAL_MOVES, Leg, Referral


def test_the_page_is_the_one_that_the_table_gives() -> None:
    assert PAGE.read_text() == page(), "the page is older than the table: make lifecycle"


def test_the_diagrams_show_every_state() -> None:
    assert all(f"--> {state}" in diagram(REFERRAL_MOVES) for state in Referral)
    assert all(f"--> {state}" in diagram(LEG_MOVES) for state in Leg)
