"""What the fuzzing does, chosen and shrunk by hypothesis; and that it sees the defects that it is there to see."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.intake.api import IntakeApi
from services.partner_routing.domain import RoutingDecider
from services.topics import INTAKE
from tests.fuzz.decoders import Decoder, decoders, of_files
from tests.fuzz.doors import proper
from tests.fuzz.stage import Defect
from tests.fuzz.world import World
from tests.integration.bad_input.right_requests import RIGHT

FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
DICE = st.randoms(use_true_random=False)
"""Each choice is hypothesis's own, so that a case that fails becomes a small one."""


@pytest.fixture(scope="module")
def every_decoder(tmp_path_factory: pytest.TempPathFactory, lasting_world: World) -> list[Decoder]:
    folder = tmp_path_factory.mktemp("decoders")
    (folder / "files").mkdir()
    return [*decoders(folder, lasting_world.records), *of_files(folder / "files")]


@FEW
@given(dice=DICE)
def test_every_call_is_answered_or_properly_refused_and_a_refused_one_changes_nothing(world: World, dice: Any) -> None:
    world.call(dice)


@FEW
@given(dice=DICE)
def test_no_record_makes_a_decider_fail(world: World, dice: Any) -> None:
    world.fact(dice)


@FEW
@given(data=st.data(), dice=DICE)
def test_every_decoder_reads_or_refuses(every_decoder: list[Decoder], data: Any, dice: Any) -> None:
    data.draw(st.sampled_from(every_decoder)).once(dice)


def test_every_rpc_has_a_door(world: World) -> None:
    assert set(world.doors.methods) == set(RIGHT)


def test_a_handler_that_breaks_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(IntakeApi, "_find", broken)
    role, request = RIGHT["Intake/GetReferral"]

    with pytest.raises(Defect, match="INTERNAL"):
        world.doors.call("Intake/GetReferral", role, f"{role}-1", request.SerializeToString())


def test_a_decider_that_breaks_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("x")

    raised = next(record for record in world.records if record.topic == INTAKE.name)
    world.stage.stores["partner-routing"].documents.clear()
    monkeypatch.setattr(RoutingDecider, "decide", broken)

    with pytest.raises(Defect, match="partner-routing failed on Upstream"):
        world.stage.hand("partner-routing", [raised])


def test_a_refusal_that_does_not_say_what_would_be_right_is_seen() -> None:
    class Bare:
        code = grpc.StatusCode.NOT_FOUND
        trailing_metadata = (("grpc-status-details-bin", b""),)

    with pytest.raises(Defect, match="without ErrorInfo"):
        proper("Intake/GetReferral", Bare())
