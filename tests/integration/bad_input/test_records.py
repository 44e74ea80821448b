"""A record that cannot be handled is parked whole; it holds up its own referral and source, and nothing else."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from safeguarding.v1 import common_pb2, concern_pb2, intake_pb2, parked_pb2, partner_pb2, routing_pb2
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.parked_pb2 import ParkedClass, ParkedItem, ParkedRecord
from tests.integration.bad_input.support import abuse, ask, ask_if_known
from tests.integration.house import House, Who
from tests.waiting import happens

pytestmark = pytest.mark.integration

TOPIC = "referrals.intake.v1"
READERS = ("triage", "partner-routing")
Place = tuple[str, int, int]


class Line:
    """Facts of one invented referral, as intake would write them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.id = str(uuid.uuid4())

    def fact(self, sequence: int, **said: Any) -> IntakeFact:
        """The fact of that sequence; what was raised, unless something else is said."""
        raised = intake_pb2.Raised(
            kinds=[common_pb2.CONCERN_KIND_DOMESTIC_ABUSE], area="bristol", signs=concern_pb2.Signs(dash_score=15)
        )
        fact = IntakeFact(**(said or {"raised": raised}))
        fact.header.event_id = str(uuid.uuid4())
        fact.header.referral_id = self.id
        fact.header.sequence = sequence
        fact.header.occurred_at.FromDatetime(datetime.now(UTC))
        fact.header.actor.CopyFrom(common_pb2.Actor(role=ROLE_OFFICER, id="officer-invented"))
        fact.header.cause_id = str(uuid.uuid4())
        return fact

    def amended(self, sequence: int) -> IntakeFact:
        """A later fact."""
        return self.fact(sequence, amended=intake_pb2.Amended(signs=concern_pb2.Signs(weapon=True, dash_score=15)))

    def write(self, value: IntakeFact | bytes | None, key: bytes | None = b"its own") -> Place:
        """Write with intake's own login, under the referral's key unless another is given."""
        raw = value.SerializeToString() if isinstance(value, IntakeFact) else value
        return self._house.send("intake", TOPIC, raw, self.id.encode() if key == b"its own" else key)

    def known(self) -> list[int]:
        """Which of intake's facts routing has taken in, in the order of its journey."""
        call = self._house.stub("Routing", self._house.desk).GetJourney
        journey = ask_if_known(call, routing_pb2.GetJourneyRequest(referral_id=self.id))
        count = sum(step.writer == "intake" for step in journey.steps) if journey else 0
        return list(range(1, 1 + count))

    def comes_to(self, count: int) -> None:
        """Wait until routing has taken so many of intake's facts in."""
        happens(f"{count} facts of {self.id} are known", lambda: len(self.known()) == count)


@pytest.fixture
def line(house: House) -> Line:
    return Line(house)


def parked(house: House, reader: str) -> dict[Place, ParkedItem]:
    """What a service lists as parked, by place."""
    answer = ask(house.stub("ParkedRecords", house.operator, reader).ListParked, parked_pb2.ListParkedRequest())
    return {(item.topic, item.partition, item.offset): item for item in answer.items}


def class_of(item: ParkedItem) -> str:
    return ParkedClass.Name(getattr(item, "class")).removeprefix("PARKED_CLASS_")


def comes_to_be_parked(house: House, reader: str, place: Place) -> str:
    """Wait until a reader has parked the record; the class under which it did."""
    return class_of(happens(f"{reader} parks {place}", lambda: parked(house, reader).get(place)))


def kept(house: House, reader: str) -> dict[Place, parked_pb2.Parked]:
    """The records as they lie on the reader's parked topic, by place."""
    records = (ParkedRecord.FromString(found.value) for found in house.records([f"referrals.parked.{reader}.v1"]))
    return {(each.parked.topic, each.parked.partition, each.parked.offset): each.parked for each in records}


def flows(house: House, callers: dict[str, Who]) -> None:
    """Another referral goes through as if nothing were the matter."""
    referral_id = house.raise_concern(abuse(), callers["officer"]).referral_id
    call, request = house.stub("Routing", callers["triage"]).GetJourney, routing_pb2.GetJourneyRequest
    happens(
        "another referral is routed",
        lambda: bool((found := ask_if_known(call, request(referral_id=referral_id))) and found.legs),
    )


def test_what_is_no_fact_is_parked_whole_by_each_reader_and_others_flow_on(
    house: House, callers: dict[str, Who]
) -> None:
    line = Line(house)
    ok = line.fact(1)
    uncounted = line.fact(0)
    stranger = partner_pb2.PartnerRecord(
        event_id=str(uuid.uuid4()), referral_id=line.id, leg_id=line.id, sealed_copy=b"x"
    )
    unknown_kind = line.fact(1)
    del unknown_kind.raised.kinds[:]
    no_fact = line.fact(1)
    no_fact.ClearField("raised")
    cases: dict[str, tuple[bytes | None, bytes | None, str]] = {
        "not protobuf": (b"\xff\xff\xff", line.id.encode(), "UNREADABLE"),
        "another message": (stranger.SerializeToString(), line.id.encode(), "UNREADABLE"),
        "no value": (None, line.id.encode(), "UNREADABLE"),
        "no bytes": (b"", line.id.encode(), "UNREADABLE"),
        "against the field rules": (unknown_kind.SerializeToString(), line.id.encode(), "UNREADABLE"),
        "without a fact": (no_fact.SerializeToString(), line.id.encode(), "UNREADABLE"),
        "not counted": (uncounted.SerializeToString(), line.id.encode(), "UNREADABLE"),
        "under another's key": (ok.SerializeToString(), str(uuid.uuid4()).encode(), "WRONG_KEY"),
        "without a key": (ok.SerializeToString(), None, "WRONG_KEY"),
    }
    places = {}
    for name, (value, key, _) in cases.items():
        # Each under a referral of its own, since one parked record holds back those behind it.
        own = key if key is None or key != line.id.encode() else str(uuid.uuid4()).encode()
        places[name] = line.write(value, own), own
    wanted = {name: "WRONG_KEY" if name == "not counted" else kind for name, (_, _, kind) in cases.items()}

    for reader in READERS:
        assert {name: comes_to_be_parked(house, reader, place) for name, (place, _) in places.items()} == wanted
        found = kept(house, reader)
        for name, (place, own) in places.items():
            whole = found[place]
            value = cases[name][0]
            assert whole.HasField("value") == (value is not None), name
            assert whole.value == (value or b""), name
            assert whole.HasField("key") == (own is not None), name
            assert whole.key == (own or b""), name
    flows(house, callers)


def test_a_gap_waits_and_heals_when_the_missing_fact_comes(house: House, callers: dict[str, Who], line: Line) -> None:
    line.write(line.fact(1))
    line.comes_to(1)
    later = [line.write(line.amended(3)), line.write(line.amended(4))]
    flows(house, callers)

    assert line.known() == [1]
    assert not set(later) & (set(parked(house, "triage")) | set(parked(house, "partner-routing")))

    line.write(line.amended(2))

    line.comes_to(4)
    assert not set(later) & (set(parked(house, "triage")) | set(parked(house, "partner-routing")))


def test_a_fork_is_parked_as_one_and_what_was_first_stays(house: House, callers: dict[str, Who], line: Line) -> None:
    first = line.fact(1)
    line.write(first)
    line.comes_to(1)

    again = line.write(first)
    fork = line.write(line.fact(1))

    for reader in READERS:
        assert comes_to_be_parked(house, reader, fork) == "FORK"
        assert again not in parked(house, reader), "the same fact again is a repeat"
    assert line.known() == [1]
    flows(house, callers)


def test_what_comes_behind_an_unreadable_fact_waits_until_that_fact_is_written_rightly(
    house: House, callers: dict[str, Who], line: Line
) -> None:
    wrong = line.fact(1)
    del wrong.raised.kinds[:]
    unreadable = line.write(wrong)
    behind = [line.write(line.amended(2)), line.write(line.amended(3))]
    for reader in READERS:
        assert comes_to_be_parked(house, reader, unreadable) == "UNREADABLE"
        assert [comes_to_be_parked(house, reader, place) for place in behind] == ["BEHIND"] * 2
    flows(house, callers)

    ask(house.stub("ParkedRecords", house.operator, "partner-routing").ReplayParked, parked_pb2.ReplayParkedRequest())
    assert line.known() == []
    assert {unreadable, *behind} <= set(parked(house, "partner-routing")), "a replay that cannot help changes nothing"

    line.write(line.fact(1))
    line.comes_to(3)
    for reader in READERS:
        happens(f"{reader} has healed", lambda reader=reader: not set(behind) & set(parked(house, reader)))  # type: ignore[misc]
        assert unreadable in parked(house, reader)


def test_what_comes_behind_a_fork_waits_for_the_replay_and_takes_effect_in_order(
    house: House, callers: dict[str, Who], line: Line
) -> None:
    line.write(line.fact(1))
    line.comes_to(1)
    fork = line.write(line.fact(1))
    assert comes_to_be_parked(house, "partner-routing", fork) == "FORK"
    behind = [line.write(line.amended(2)), line.write(line.amended(3))]
    assert [comes_to_be_parked(house, "partner-routing", place) for place in behind] == ["BEHIND"] * 2
    assert line.known() == [1]
    flows(house, callers)

    operator = house.stub("ParkedRecords", house.operator, "partner-routing")
    answer = ask(operator.ReplayParked, parked_pb2.ReplayParkedRequest())

    assert answer.replayed >= 2
    assert answer.parked >= 1
    assert line.known() == [1, 2, 3]
    left = parked(house, "partner-routing")
    assert fork in left
    assert not set(behind) & set(left)


def test_what_is_listed_of_a_parked_record_shows_nothing_of_its_content(house: House, line: Line) -> None:
    place = line.write(b"\xff\xff marked-word", b"marked-key")

    for reader in READERS:
        comes_to_be_parked(house, reader, place)
        item = parked(house, reader)[place]
        assert item.referral_id == "", "a key that is no referral id may be anything"
        assert b"marked" not in item.SerializeToString()
        assert item.size == len(b"\xff\xff marked-word")


def test_replaying_what_is_not_parked_is_refused(house: House) -> None:
    operator = house.stub("ParkedRecords", house.operator, "triage")
    request = parked_pb2.ReplayParkedRequest(topic=TOPIC, partition=0, offset=999_999)

    with pytest.raises(grpc.RpcError) as caught:
        ask(operator.ReplayParked, request)

    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
