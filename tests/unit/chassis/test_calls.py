"""Who may call, and what each refusal says, over real TLS on a real port."""

import io
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2 as details
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from safeguarding.v1 import intake_pb2 as intake
from safeguarding.v1.access_control_pb2 import ROLE_OFFICER
from services.chassis.calls import caller, seconds_left, seconds_to_answer
from services.chassis.deciding import Refused, Why
from services.chassis.engine.away import Away, Busy
from services.chassis.errors import STATUS_OF, TimedOut, Unavailable
from services.chassis.grpc_client import TlsFiles
from services.chassis.identity import Identity
from tests.unit.chassis.certificates import DOMAIN, make_authority
from tests.unit.chassis.rig import REFERRAL, Rig, answers_well, detail, info, refusal, running
from tests.waiting import happens

CANARY = "Zephyrine Quillfeather"
ASK = intake.GetReferralRequest(referral_id=REFERRAL)
LONG_ENOUGH = 60


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Generator[Rig, None, None]:
    with running(tmp_path_factory.mktemp("rig")) as made:
        yield made


@pytest.fixture(autouse=True)
def _answers_well(rig: Rig) -> None:
    rig.handler.answers = answers_well


def raises(error: Exception) -> Callable[[Any, grpc.ServicerContext], Any]:
    def answer(_request: Any, _context: grpc.ServicerContext) -> Any:
        raise error

    return answer


def failed(rig: Rig, tls: TlsFiles | None = None) -> Any:
    """The error of one GetReferral as this client, or as a good officer."""
    rig.enter("officer", "officer-1")
    with pytest.raises(grpc.RpcError) as caught:
        rig.once(tls or rig.authority.officer()).GetReferral(ASK, timeout=LONG_ENOUGH)
    return caught.value


def code(error: Any) -> grpc.StatusCode:
    found: grpc.StatusCode = error.code()
    return found


def test_a_handler_sees_the_certificate_and_the_directory_as_one_identity(rig: Rig) -> None:
    seen: list[Identity] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> intake.GetReferralResponse:
        seen.append(caller())
        return intake.GetReferralResponse(referral_id=REFERRAL)

    rig.handler.answers = answer
    rig.officer().GetReferral(ASK, timeout=LONG_ENOUGH)

    assert seen == [Identity(ROLE_OFFICER, "officer-1", kind="special_constable")]
    with pytest.raises(LookupError):
        caller()


@pytest.mark.parametrize(
    ("uris", "wrong"),
    [
        ([], "0 URI names"),
        ([f"spiffe://{DOMAIN}/officer/a", f"spiffe://{DOMAIN}/officer/b"], "2 URI names"),
        (["spiffe://elsewhere.invalid/officer/officer-1"], "another trust domain"),
        ([f"spiffe://{DOMAIN}/wizard/officer-1"], "unknown role"),
        ([f"spiffe://{DOMAIN}/unspecified/officer-1"], "unknown role"),
        ([f"spiffe://{DOMAIN}/officer/a/b"], "another form"),
        ([f"spiffe://{DOMAIN}/officer"], "another form"),
        ([f"spiffe://{DOMAIN}/officer/..%2Fservice"], "another form"),
        (["https://example.invalid/officer/officer-1"], "no SPIFFE id"),
    ],
)
def test_a_certificate_that_does_not_name_one_caller_is_unauthenticated(rig: Rig, uris: list[str], wrong: str) -> None:
    error = failed(rig, rig.authority.issue("stranger", uris))

    assert code(error) is grpc.StatusCode.UNAUTHENTICATED
    assert wrong in info(refusal(error)).metadata["wrong"]
    assert info(refusal(error)).metadata["right"]


def test_without_a_certificate_no_handler_runs(rig: Rig) -> None:
    reached: list[Any] = []
    rig.handler.answers = lambda request, _context: reached.append(request)
    credentials = grpc.ssl_channel_credentials(rig.authority.file.read_bytes())
    with grpc.secure_channel(rig.address, credentials) as bare:
        call: Any = bare.unary_unary("/safeguarding.v1.Intake/GetReferral")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=LONG_ENOUGH)

    assert code(caught.value) is grpc.StatusCode.UNAVAILABLE
    assert reached == []


def test_a_certificate_of_another_authority_fails_the_handshake(rig: Rig, tmp_path: Path) -> None:
    rig.enter("officer", "officer-1")
    other = make_authority(tmp_path / "other").officer()
    error = failed(rig, TlsFiles(other.certificate, other.key, rig.authority.file))

    assert code(error) is grpc.StatusCode.UNAVAILABLE


def test_removal_from_the_directory_acts_on_the_next_call_of_an_open_connection(rig: Rig) -> None:
    stub = rig.officer()
    stub.GetReferral(ASK, timeout=LONG_ENOUGH)
    (rig.directory / "officer" / "officer-1.toml").unlink()
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetReferral(ASK, timeout=LONG_ENOUGH)
    rig.enter("officer", "officer-1")

    assert code(caught.value) is grpc.StatusCode.PERMISSION_DENIED
    assert "not in the directory" in info(refusal(caught.value)).metadata["wrong"]
    assert stub.GetReferral(ASK, timeout=LONG_ENOUGH).referral_id == REFERRAL


def test_a_role_that_the_rpc_does_not_declare_is_denied_and_told_who_may(rig: Rig) -> None:
    rig.enter("auditor", "auditor-1")
    error = failed(rig, rig.authority.issue("auditor", [f"spiffe://{DOMAIN}/auditor/auditor-1"]))

    assert code(error) is grpc.StatusCode.PERMISSION_DENIED
    assert info(refusal(error)).metadata["wrong"] == "role auditor may not call Intake/GetReferral"
    assert "officer" in info(refusal(error)).metadata["right"]


def test_a_wrong_field_is_named_with_what_would_be_right_and_never_its_value(rig: Rig) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        rig.officer().GetReferral(intake.GetReferralRequest(referral_id=CANARY), timeout=LONG_ENOUGH)
    status = refusal(caught.value)

    violation = detail(status, details.BadRequest).field_violations[0]
    assert code(caught.value) is grpc.StatusCode.INVALID_ARGUMENT
    assert violation.field == "referral_id"
    assert "UUID" in violation.description
    assert CANARY.encode() not in status.SerializeToString()


def test_every_message_of_a_stream_is_held_against_its_rules(rig: Rig) -> None:
    def answer(requests: Iterator[Any], _context: grpc.ServicerContext) -> intake.RaiseConcernsResponse:
        assert len(list(requests)) == 0
        return intake.RaiseConcernsResponse()

    rig.handler.answers = answer
    wrong = intake.RaiseConcernsRequest(concerns=[intake.RaiseConcernRequest(idempotency_key=CANARY)])
    with pytest.raises(grpc.RpcError) as caught:
        rig.officer().RaiseConcerns(iter([wrong]), timeout=LONG_ENOUGH)
    fields = {v.field for v in detail(refusal(caught.value), details.BadRequest).field_violations}

    assert code(caught.value) is grpc.StatusCode.INVALID_ARGUMENT
    assert fields == {"concerns[0].idempotency_key", "concerns[0].concern"}
    assert rig.officer().RaiseConcerns(iter([]), timeout=LONG_ENOUGH) == intake.RaiseConcernsResponse()


@pytest.mark.parametrize("why", Why)
def test_every_refusal_has_its_status_with_what_is_wrong_and_what_is_right(rig: Rig, why: Why) -> None:
    rig.handler.answers = raises(Refused(why, "it is so", "do thus", field="concern.area", legal=["Withdraw"]))
    error = failed(rig)
    status = refusal(error)

    assert code(error) is STATUS_OF[why]
    assert info(status).reason == why.name
    assert info(status).domain == "referrals.safeguarding"
    assert dict(info(status).metadata) == {"wrong": "it is so", "right": "do thus"}
    violation = detail(status, details.BadRequest).field_violations[0]
    assert (violation.field, violation.description) == ("concern.area", "do thus")


def test_an_illegal_move_is_answered_with_the_legal_ones(rig: Rig) -> None:
    rig.handler.answers = raises(Refused(Why.ILLEGAL, "it is closed", "read it", legal=["GetReferral", "Amend"]))
    moves = detail(refusal(failed(rig)), details.PreconditionFailure).violations

    assert [move.subject for move in moves] == ["GetReferral", "Amend"]


@pytest.mark.parametrize("away", [Unavailable("broker"), Away("broker")])
def test_what_is_away_is_unavailable_with_a_time_to_come_back(rig: Rig, away: Exception) -> None:
    rig.handler.answers = raises(away)
    error = failed(rig)

    assert code(error) is grpc.StatusCode.UNAVAILABLE
    assert detail(refusal(error), details.RetryInfo).retry_delay.seconds == 1


def test_who_waited_for_what_is_away_hears_of_it_and_not_of_their_deadline(rig: Rig) -> None:
    attempts: list[float] = []

    def answer(_request: Any, _context: grpc.ServicerContext) -> Any:
        attempts.append(seconds_to_answer(at_most=10))
        threading.Event().wait(attempts[-1] - 0.3)  # so that it is heard on a busy machine too
        raise Away("broker")

    stub = rig.officer()
    stub.GetReferral(ASK, timeout=LONG_ENOUGH)  # connected: what follows has its whole time for itself
    rig.handler.answers = answer
    with pytest.raises(grpc.RpcError) as caught:
        stub.GetReferral(ASK, timeout=1)

    assert code(caught.value) is grpc.StatusCode.UNAVAILABLE
    assert attempts[0] < 0.95
    assert len(attempts) == 1, "a channel repeats by itself, unless it is told that there is no time"


@pytest.mark.parametrize(("retry_after", "told"), [(2, 2.0), (0.01, 0.1)], ids=["later", "never at once"])
def test_too_much_work_is_resource_exhausted(rig: Rig, retry_after: float, told: float) -> None:
    rig.handler.answers = raises(Busy(retry_after))
    error = failed(rig)

    assert code(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert detail(refusal(error), details.RetryInfo).retry_delay.ToTimedelta().total_seconds() == told


@pytest.mark.parametrize("late", [TimedOut(), TimeoutError(CANARY)])
def test_a_deadline_means_unknown_and_never_failed(rig: Rig, late: Exception) -> None:
    rig.handler.answers = raises(late)
    error = failed(rig)

    assert code(error) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refusal(error).message == "unknown, repeat with the same key"


def test_a_bug_is_answered_by_an_error_id_and_logged_whole_without_what_it_quotes(
    rig: Rig, logged: io.StringIO
) -> None:
    rig.handler.answers = raises(ValueError(CANARY))
    error = failed(rig)
    status = refusal(error)
    log = logged.getvalue()

    assert code(error) is grpc.StatusCode.INTERNAL
    assert CANARY.encode() not in status.SerializeToString()
    assert status.message == f"our fault, error {info(status).metadata['errorId']}"
    assert info(status).metadata["errorId"] in log
    assert "builtins.ValueError" in log
    assert "test_calls.py" in log
    assert CANARY not in log


def test_the_handler_knows_how_long_its_caller_waits(rig: Rig) -> None:
    left: list[float] = []

    def answer(_request: Any, context: grpc.ServicerContext) -> intake.GetReferralResponse:
        left.append(seconds_left(context, at_most=30))
        return intake.GetReferralResponse()

    rig.handler.answers = answer
    rig.officer().GetReferral(ASK, timeout=20)
    rig.officer().GetReferral(ASK)

    assert 0 < left[0] <= 20
    assert left[1] == 30


def test_health_asks_for_a_certificate_and_no_more(rig: Rig) -> None:
    stub: Any = health_pb2_grpc.HealthStub(rig.channel(rig.authority.issue("probe", [])))
    request = health_pb2.HealthCheckRequest()
    before = stub.Check(request, timeout=LONG_ENOUGH).status
    for condition in rig.health.conditions():
        rig.health.set(condition, ready=True)
    after = stub.Check(request, timeout=LONG_ENOUGH).status
    rig.health.set("store", ready=False)

    assert before == health_pb2.HealthCheckResponse.NOT_SERVING
    assert after == health_pb2.HealthCheckResponse.SERVING
    assert stub.Check(request, timeout=LONG_ENOUGH).status == before


def test_an_rpc_that_declares_no_roles_is_denied_to_everyone(rig: Rig) -> None:
    rig.enter("officer", "officer-1")
    stub: Any = health_pb2_grpc.HealthStub(rig.channel(rig.authority.officer()))
    with pytest.raises(grpc.RpcError) as caught:
        next(stub.Watch(health_pb2.HealthCheckRequest(), timeout=LONG_ENOUGH))

    assert code(caught.value) is grpc.StatusCode.PERMISSION_DENIED
    assert "open to no role" in info(refusal(caught.value)).metadata["wrong"]


def test_reflection_answers_on_a_local_stack(rig: Rig) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(rig.channel(rig.authority.officer()))
    ask = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(stub.ServerReflectionInfo(iter([ask]), timeout=LONG_ENOUGH))

    assert "safeguarding.v1.Intake" in {found.name for found in answer.list_services_response.service}


def test_calls_are_counted_by_method_and_code(rig: Rig) -> None:
    def count(of: str) -> float:
        labels = {"method": "Intake/GetReferral", "code": of}
        return rig.metrics.registry.get_sample_value("referrals_rpc_seconds_count", labels) or 0

    before = count("OK"), count("NOT_FOUND")
    rig.officer().GetReferral(ASK, timeout=LONG_ENOUGH)
    rig.handler.answers = raises(Refused(Why.UNKNOWN, "no such referral", "check the id"))
    failed(rig)

    # An answer may arrive before its server has counted it.
    happens("both are counted", lambda: (count("OK"), count("NOT_FOUND")) == (before[0] + 1, before[1] + 1))
