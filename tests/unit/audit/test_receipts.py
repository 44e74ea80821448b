"""Who may have which receipt, rule by rule; tests/integration/audit/test_log.py asks the running service."""

from __future__ import annotations

from typing import Any, cast

import pytest

from safeguarding.v1.access_control_pb2 import (
    ROLE_AUDITOR,
    ROLE_OFFICER,
    ROLE_PARTNER,
    ROLE_SERVICE,
    ROLE_SUPERVISOR,
    ROLE_TRIAGE,
)
from safeguarding.v1.audit_pb2 import TimelineEntry
from safeguarding.v1.common_pb2 import Actor
from safeguarding.v1.partner_pb2 import AUDIENCE_RAISER, AUDIENCE_VICTIM
from services import topics
from services.audit.receipts import may_see
from services.audit.views import Views
from services.chassis.identity import Identity

REFERRAL = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a01"
LEG, OTHER_LEG = "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a02", "8f14e45f-ceea-467f-a0e6-1b2f6c9d3a03"
RAISER = Identity(ROLE_OFFICER, "pc-1")
SCHOOL = Identity(ROLE_PARTNER, "oak-school")
ROUTING, ACCESS = topics.ROUTING.name, topics.access_topic("triage").name


def entry(topic: str, kind: str, role: Any = ROLE_SERVICE, actor: str = "routing", **more: Any) -> TimelineEntry:
    return TimelineEntry(
        topic=topic, type=f"safeguarding.v1.{kind}", referral_id=REFERRAL, actor=Actor(role=role, id=actor), **more
    )


RAISED = entry(topics.INTAKE.name, "Raised", ROLE_OFFICER, "pc-1")
OFFERED = entry(ROUTING, "Offered", leg_id=LEG, partner_id="oak-school")
OTHERS = entry(ROUTING, "Offered", leg_id=OTHER_LEG, partner_id="elm-school")
EXPIRED = entry(ROUTING, "Expired", leg_id=LEG)
OTHERS_EXPIRED = entry(ROUTING, "Expired", leg_id=OTHER_LEG)
TOLD = entry(ROUTING, "OutcomeTold", ROLE_TRIAGE, "desk-1", audience=AUDIENCE_RAISER)
TOLD_BY_PARTNER = entry(ROUTING, "OutcomeTold", ROLE_PARTNER, "elm-school", audience=AUDIENCE_RAISER)
VICTIM_TOLD = entry(ROUTING, "OutcomeTold", ROLE_TRIAGE, "desk-1", audience=AUDIENCE_VICTIM)
LOOK = entry(ACCESS, "AccessFact", ROLE_TRIAGE, "desk-1")
COPY = entry(topics.partner_topics("oak-school")[0].name, "PartnerRecord", leg_id=LEG, partner_id="oak-school")
ALL = {
    "raised": RAISED,
    "offered": OFFERED,
    "others": OTHERS,
    "expired": EXPIRED,
    "others expired": OTHERS_EXPIRED,
    "told": TOLD,
    "told by partner": TOLD_BY_PARTNER,
    "victim told": VICTIM_TOLD,
    "look": LOOK,
    "copy": COPY,
}


class Index:
    """All of it lies under one referral."""

    def timeline(self, referral_id: str) -> list[TimelineEntry]:
        return list(ALL.values()) if referral_id == REFERRAL else []


FACTS = set(ALL) - {"look", "copy"}


@pytest.mark.parametrize(
    ("who", "sees"),
    [
        (Identity(ROLE_AUDITOR, "a-1"), set(ALL)),
        (Identity(ROLE_SUPERVISOR, "sup-1"), FACTS),
        (Identity(ROLE_TRIAGE, "desk-1"), FACTS | {"look"}),
        (RAISER, {"raised", "told"}),
        (Identity(ROLE_OFFICER, "pc-2"), set()),
        (Identity(ROLE_PARTNER, "pc-1"), set()),
        (SCHOOL, {"offered", "expired", "copy"}),
        (Identity(ROLE_PARTNER, "elm-school"), {"others", "others expired", "told by partner"}),
        (Identity(ROLE_OFFICER, "oak-school"), set()),
    ],
    ids=lambda value: f"{value.role_name}/{value.id}" if isinstance(value, Identity) else "",
)
def test_a_receipt_goes_to_whoever_may_see_the_record(who: Identity, sees: set[str]) -> None:
    index = cast(Views, Index())

    assert {name for name, each in ALL.items() if may_see(index, each, who)} == sees
