"""The most local partner is asked first, another after it declined, and the lead agency at last."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from safeguarding.v1.common_pb2 import SERVICE_KIND_FARM_WATCH, SERVICE_KIND_HOUSING
from services.chassis.directory import Partner
from services.partner_routing.directory import choose, lead


def a_partner(name: str, *areas: str, serves: str = "housing", leads: bool = False) -> Partner:
    """A partner of the directory."""
    return Partner(
        id=name,
        name=name,
        kind="",
        serves=(serves,),
        areas=areas,
        public_key=b"\0" * 32,
        kafka=True,
        lead=leads,
    )


WIDE = a_partner("wide", "bristol", "somerset")
LOCAL = a_partner("local", "bristol")
POLICE = a_partner("police", "bristol", "somerset", serves="police_safeguarding", leads=True)
TODAY = date(2026, 11, 20)
ALL = (POLICE, WIDE, LOCAL)


def test_the_partner_that_serves_the_fewest_areas_is_asked_first() -> None:
    assert choose(ALL, SERVICE_KIND_HOUSING, "bristol", TODAY) is LOCAL
    assert choose(ALL, SERVICE_KIND_HOUSING, "somerset", TODAY) is WIDE


def test_one_that_was_asked_already_is_not_asked_again() -> None:
    assert choose(ALL, SERVICE_KIND_HOUSING, "bristol", TODAY, excluding={"local"}) is WIDE
    assert choose(ALL, SERVICE_KIND_HOUSING, "bristol", TODAY, excluding={"local", "wide"}) is None


def test_nobody_serves_another_area_or_another_service() -> None:
    assert choose(ALL, SERVICE_KIND_HOUSING, "north-somerset", TODAY) is None
    assert choose(ALL, SERVICE_KIND_FARM_WATCH, "bristol", TODAY) is None


def test_equals_are_asked_by_id_whatever_their_order() -> None:
    twins = (a_partner("b", "bristol"), a_partner("a", "bristol"))

    assert choose(twins, SERVICE_KIND_HOUSING, "bristol", TODAY) is twins[1]


def test_the_lead_agency_is_the_one_that_leads_in_the_area() -> None:
    assert lead(ALL, "somerset") is POLICE
    assert lead(ALL, "north-somerset") is None
    assert lead((WIDE, LOCAL), "bristol") is None


def test_a_paused_partner_is_not_asked_before_the_day_on_which_it_takes_on_again() -> None:
    paused = (WIDE, replace(LOCAL, paused_until=TODAY + timedelta(days=1)))

    assert choose(paused, SERVICE_KIND_HOUSING, "bristol", TODAY) is WIDE
    assert choose(paused, SERVICE_KIND_HOUSING, "bristol", TODAY + timedelta(days=1)) is paused[1]


def test_a_full_partner_is_not_asked_and_a_limited_one_only_after_the_others() -> None:
    limited, full = replace(LOCAL, capacity="limited"), replace(LOCAL, capacity="full")

    assert choose((WIDE, limited), SERVICE_KIND_HOUSING, "bristol", TODAY) is WIDE
    assert choose((limited,), SERVICE_KIND_HOUSING, "bristol", TODAY) is limited
    assert choose((WIDE, full), SERVICE_KIND_HOUSING, "bristol", TODAY) is WIDE
    assert choose((full,), SERVICE_KIND_HOUSING, "bristol", TODAY) is None
