"""Whatever names a rule or a clock of an area says beside it whether a practitioner has confirmed it."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor

from safeguarding.v1.common_pb2 import Deadline, Standing
from tests.contract.test_personal_fields import messages

NAMES = {"rule_id", "rule_ids", "clock", "respond_clock", "work_clock", "stopped_clocks", "without_consent"}
"""Fields that name something an area states; `rule` is a row of an agreement, whose source is the agreement."""
SAID_ELSEWHERE = {
    "RequestedLeg.respond_clock": "the offer's respond_by",
    "RequestedLeg.work_clock": "the acceptance's work_by",
    "Expired.clock": "the offer's respond_by, and the reminder at the end",
    "TellingOverdue.clock": "the outcome's tell_by",
    "StageReached.stopped_clocks": "the stage with which it began",
    "DeskLeg.without_consent": "the leg that follows",
    "TimelineEntry.without_consent": "unconfirmed",
}
"""Where the standing of what a field names is to be found."""


def _naming() -> Iterator[tuple[str, Descriptor]]:
    for message in messages():
        for field in message.fields:
            if field.name in NAMES and field.message_type is None:
                yield f"{message.name}.{field.name}", message


def test_what_names_a_rule_or_a_clock_carries_its_standing_or_says_where_it_is() -> None:
    silent = {
        place
        for place, message in _naming()
        if not {"unconfirmed_reason", "rules"} & set(message.fields_by_name)
        or (place in SAID_ELSEWHERE and message.name == "RequestedLeg")
    }

    assert silent == set(SAID_ELSEWHERE)


def test_a_deadline_and_a_standing_say_why_nobody_has_confirmed_them() -> None:
    for kind in (Deadline, Standing):
        assert "unconfirmed_reason" in kind.DESCRIPTOR.fields_by_name
