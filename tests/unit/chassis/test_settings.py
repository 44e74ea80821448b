"""A wrong environment stops a service at its start, and the error says which variable, what is wrong, what is right."""

from pathlib import Path

import pytest

from services.chassis.settings import WrongSettings, read
from tests.unit.chassis.certificates import Authority, make_authority
from tests.unit.chassis.rig import RigSettings, settings_fields


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path / "ca")


@pytest.fixture
def fields(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = settings_fields(tmp_path, authority)
    for name, value in found.items():
        monkeypatch.setenv(f"RIG_{name.upper()}", value)
    return found


@pytest.mark.usefixtures("fields")
def test_a_right_environment_is_read() -> None:
    settings = read(RigSettings)

    assert settings.kafka.addresses == ["127.0.0.1:9092"]
    assert settings.hmac_key == bytes.fromhex("ab" * 32)
    assert settings.log_level == "INFO"


@pytest.mark.usefixtures("fields")
@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("KAFKA_SECURITY", "PLAINTEXT", "SASL_SSL"),
        ("KAFKA_SERVERS", "kafka.example.invalid:9092", "SASL_PLAINTEXT is for loopback only"),
        ("KAFKA_CA", "/nowhere/ca.pem", "no such file; give the path"),
        ("GRPC_ADDRESS", "7001", "not an address; give host:port"),
        ("GRPC_ADDRESS", "127.0.0.1:99999", "not an address; give host:port"),
        ("GRPC_ADDRESS", "0.0.0.0:7001", "TLS_AUTHORITY is a development authority"),
        ("ENVIRONMENT", "production", "TLS_AUTHORITY is a development authority"),
        ("ENVIRONMENT", "staging", "'local' or 'production'"),
        ("HTTP_ADDRESS", "0.0.0.0:7002", "not on loopback; metrics and health are plain HTTP"),
        ("TRUST_DOMAIN", "spiffe://local", "not a trust domain"),
        ("REQUEST_HMAC_KEY", "hmac-canary", "32 random bytes as 64 hex digits"),
        ("DIRECTORY", "/nowhere", "no such folder"),
        ("TRACE_RATIO", "2", "less than or equal to 1"),
        ("KAFKA_SERVER", "127.0.0.1:9092", "no such setting; did you mean RIG_KAFKA_SERVERS"),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_right(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"RIG_{variable}", value)
    with pytest.raises(WrongSettings, match="RIG_") as caught:
        read(RigSettings)

    assert variable.split("_")[0] in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.usefixtures("fields")
def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = repr(read(RigSettings))
    monkeypatch.setenv("RIG_REQUEST_HMAC_KEY", "hmac-canary")
    monkeypatch.setenv("RIG_KAFKA_SERVERS", "elsewhere.invalid:9092")
    with pytest.raises(WrongSettings) as caught:
        read(RigSettings)

    assert "canary" not in shown
    assert "ab" * 32 not in shown
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("fields")
def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RIG_MONGO_URL")
    monkeypatch.setenv("RIG_GRPC_ADDRESS", "nowhere")
    with pytest.raises(WrongSettings) as caught:
        read(RigSettings)

    lines = str(caught.value).splitlines()
    assert "RIG_MONGO_URL: missing; set it" in lines
    assert any(line.startswith("RIG_GRPC_ADDRESS: not an address") for line in lines)


@pytest.mark.usefixtures("fields")
def test_a_real_authority_may_serve_off_loopback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = make_authority(tmp_path / "real", "Example Partnership Issuing CA")
    for name, value in {
        "TLS_AUTHORITY": str(real.file),
        "ENVIRONMENT": "production",
        "GRPC_ADDRESS": "0.0.0.0:7001",
    }.items():
        monkeypatch.setenv(f"RIG_{name}", value)

    assert read(RigSettings).environment == "production"


@pytest.mark.usefixtures("fields")
def test_an_authority_file_without_a_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    monkeypatch.setenv("RIG_TLS_AUTHORITY", str(empty))
    monkeypatch.setenv("RIG_ENVIRONMENT", "production")
    with pytest.raises(WrongSettings, match="TLS_AUTHORITY holds no certificate"):
        read(RigSettings)
