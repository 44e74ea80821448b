"""One trace goes through every door, and its spans carry ids only."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import grpc
import pytest

from safeguarding.v1 import intake_pb2 as intake
from services.chassis import tracing
from tests.unit.chassis.rig import REFERRAL, running

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
CANARY = "Zephyrine Quillfeather"


@pytest.fixture
def spans(tmp_path: Path) -> Generator[Path, None, None]:
    file = tmp_path / "traces" / "spans.jsonl"
    provider = tracing.configure("intake", file)
    assert provider is not None
    yield file
    provider.shutdown()
    tracing.configure("intake")


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_span_goes_on_in_the_trace_that_came_along(spans: Path) -> None:
    with tracing.span("outer", PARENT, referral_id="r-1"), tracing.span("inner"):
        inside = tracing.current()

    inner, outer = read(spans)
    assert inside == f"00-{TRACE}-{inner['span_id']}-01"
    assert {inner["trace_id"], outer["trace_id"]} == {TRACE}
    assert (inner["parent_id"], outer["parent_id"]) == (outer["span_id"], "00f067aa0ba902b7")
    assert (outer["service"], outer["ids"]) == ("intake", {"referral_id": "r-1"})


def test_a_malformed_traceparent_begins_a_new_trace(spans: Path) -> None:
    with tracing.span("outer", CANARY):
        pass

    assert read(spans)[0]["parent_id"] == ""
    assert CANARY not in spans.read_text()


def test_an_exceptions_words_are_no_part_of_its_span(spans: Path) -> None:
    with pytest.raises(ValueError, match=CANARY), tracing.span("outer"):
        raise ValueError(CANARY)

    assert len(read(spans)) == 1
    assert CANARY not in spans.read_text()


def test_a_sampling_ratio_of_nothing_records_nothing_new_and_keeps_a_callers_choice(tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    provider = tracing.configure("intake", file, ratio=0)
    assert provider is not None
    with tracing.span("new"):
        pass
    with tracing.span("sampled", PARENT):
        pass
    provider.shutdown()
    tracing.configure("intake")

    assert [span["name"] for span in read(file)] == ["sampled"]


def test_while_nothing_is_recorded_a_trace_is_handed_on_as_it_came() -> None:
    assert tracing.current() == ""
    with tracing.span("outer", PARENT), tracing.span("inner"):
        assert tracing.current() == PARENT
    with tracing.span("outer", CANARY):
        assert tracing.current() == ""
    assert tracing.current() == ""


def test_a_records_headers_give_the_trace_or_nothing() -> None:
    assert tracing.of_headers([("ce_id", b"e"), ("traceparent", PARENT.encode())]) == PARENT
    assert tracing.of_headers([("traceparent", None)]) == ""
    assert tracing.of_headers([("traceparent", b"\xff")]) == ""


def test_a_call_carries_the_callers_trace_to_the_handler(tmp_path: Path, spans: Path) -> None:
    seen: list[str] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> intake.GetReferralResponse:
        seen.append(tracing.current())
        return intake.GetReferralResponse()

    with running(tmp_path) as rig:
        rig.handler.answers = answer
        stub = rig.officer()
        with tracing.span("client", PARENT):
            stub.GetReferral(intake.GetReferralRequest(referral_id=REFERRAL), timeout=60)

    client, server = sorted(read(spans), key=lambda span: str(span["name"]), reverse=True)
    assert (client["name"], server["name"]) == ("client", "Intake/GetReferral")
    assert server["parent_id"] == client["span_id"]
    assert seen == [f"00-{TRACE}-{server['span_id']}-01"]
