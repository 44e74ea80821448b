"""Nothing personal is logged, whoever logs it and however it goes wrong."""

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from safeguarding.v1 import concern_pb2, intake_pb2, triage_pb2
from safeguarding.v1.common_pb2 import CONCERN_KIND_DOMESTIC_ABUSE
from services.chassis import logs
from services.chassis.deciding import Refused, Why
from services.chassis.redactor import REDACTED, redacted

CANARY = "Zephyrine Quillfeather"


def filled(message: Message) -> Message:
    """The message with the canary in every text and every bytes field, however deep."""
    for field in message.DESCRIPTOR.fields:
        _fill(message, field)
    return message


def _fill(message: Message, field: Any) -> None:
    value: Any = getattr(message, field.name)
    if field.message_type is not None:
        inner = value.add() if field.is_repeated else value
        inner.SetInParent()
        filled(inner)
    elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        text: Any = CANARY if field.type == FieldDescriptor.TYPE_STRING else CANARY.encode()
        if field.is_repeated:
            value.append(text)
        else:
            setattr(message, field.name, text)


def lines(logged: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged.getvalue().splitlines()]


@pytest.mark.parametrize(
    "kind",
    [
        concern_pb2.Subject,
        concern_pb2.Narrative,
        concern_pb2.Place,
        concern_pb2.Vehicle,
        concern_pb2.RaiserDetails,
        intake_pb2.OpenedKey,
        triage_pb2.OverrideGradeRequest,
    ],
)
def test_no_marked_field_is_shown_at_any_depth(kind: Callable[[], Message]) -> None:
    shown = json.dumps(redacted(filled(kind())))
    marked_away = json.dumps(redacted(_without_marked(filled(kind()))))

    assert REDACTED in shown
    assert shown.count(CANARY) == marked_away.count(CANARY)


def _without_marked(message: Message) -> Message:
    for field, value in message.ListFields():
        if field.GetOptions().debug_redact:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in value if field.is_repeated else [value]:
                _without_marked(inner)
    return message


def test_a_concern_shows_its_codes_and_no_person() -> None:
    concern = concern_pb2.Concern(kinds=[CONCERN_KIND_DOMESTIC_ABUSE], area="riverside")
    concern.signs.child_lives_here = True
    concern.subjects.add().identity.family_name = CANARY
    concern.narrative.text = CANARY

    assert redacted(concern) == {
        "kinds": ["CONCERN_KIND_DOMESTIC_ABUSE"],
        "signs": {"child_lives_here": True},
        "area": "riverside",
        "subjects": [{"identity": {"family_name": REDACTED}}],
        "narrative": {"text": REDACTED},
    }


def test_a_line_is_json_with_event_service_and_ids(logged: io.StringIO) -> None:
    logs.get("services.intake.api").info("referral_accepted", referral_id="r-1", sequence=1)

    (line,) = lines(logged)
    assert line["event"] == "referral_accepted"
    assert (line["service"], line["level"], line["module"]) == ("intake", "info", "services.intake.api")
    assert (line["referral_id"], line["sequence"]) == ("r-1", 1)
    assert line["time"].endswith("Z")


class Unknown:
    """A type that the redactor has never heard of."""

    def __repr__(self) -> str:
        return CANARY


@pytest.mark.parametrize(
    "value",
    [
        Unknown(),
        CANARY.encode(),
        bytearray(CANARY.encode()),
        [Unknown()],
        {"deep": {"deeper": (Unknown(),)}},
        ValueError(CANARY),
        CANARY * 100,
        concern_pb2.Narrative(text=CANARY),
        {"request": [concern_pb2.Narrative(text=CANARY)]},
    ],
)
def test_a_value_that_may_hold_a_person_is_stripped(logged: io.StringIO, value: Any) -> None:
    logs.get("services.test").info("something", value=value)

    assert len(lines(logged)) == 1
    assert CANARY not in logged.getvalue()


def test_an_exception_is_its_class_and_frames_without_locals_or_foreign_texts(logged: io.StringIO) -> None:
    def fails(narrative: str) -> None:
        try:
            raise KeyError(narrative)
        except KeyError as error:
            raise RuntimeError(f"cannot handle {narrative}") from error

    try:
        fails(CANARY)
    except RuntimeError:
        logs.get("services.test").exception("call_failed", error_id="e-1")

    (line,) = lines(logged)
    assert [one["class"] for one in line["error"]] == ["builtins.RuntimeError", "builtins.KeyError"]
    assert any("test_logs.py" in frame and "fails" in frame for frame in line["error"][0]["frames"])
    assert CANARY not in logged.getvalue()


def test_our_own_exceptions_keep_their_words(logged: io.StringIO) -> None:
    logs.get("services.test").error("refused", exc_info=Refused(Why.STALE, "the referral has moved on", "read it"))

    assert lines(logged)[0]["error"][0]["text"] == "the referral has moved on"


def test_what_a_library_logs_is_shown_without_its_arguments(logged: io.StringIO) -> None:
    library = logging.getLogger("kafka.conn")
    library.warning("Cannot send %s to node %d", CANARY, 3)
    library.warning(f"Cannot parse {CANARY}")
    library.warning("Failed with %(record)s", {"record": CANARY})
    try:
        raise ValueError(CANARY)
    except ValueError:
        library.exception("Exception calling application: %s", CANARY)

    found = lines(logged)
    assert CANARY not in logged.getvalue()
    assert found[0]["template"] == "Cannot send %s to node %d"
    assert found[0]["numbers"] == [3]
    assert "test_logs.py" in found[1]["template"]
    assert found[3]["error"][0]["class"] == "builtins.ValueError"


def test_no_path_of_a_machine_is_shown(logged: io.StringIO) -> None:
    try:
        json.loads("{")
    except json.JSONDecodeError:
        logs.get("services.test").exception("unreadable")

    frames = [frame for one in lines(logged)[0]["error"] for frame in one["frames"]]
    assert frames
    assert not any(frame.startswith("/") for frame in frames)


def test_a_closed_stream_does_not_stop_the_work(logged: io.StringIO) -> None:
    logged.close()

    logs.get("services.test").info("nobody_hears")
