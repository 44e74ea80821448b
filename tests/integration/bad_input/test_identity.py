"""Who is not who they must be gets nowhere: no handler runs, and nothing is told of what there is."""

from __future__ import annotations

import socket
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from safeguarding.v1 import intake_pb2, intake_pb2_grpc
from services.cli.local import authority, directory
from services.cli.local import home as files
from services.cli.local.authority import TRUST_DOMAIN, Authority, Identity
from services.topics import SERVICES
from tests.integration.bad_input.right_requests import REFERRAL
from tests.integration.house import CALL_SECONDS, House, channel_of, refused

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("nothing_changes")]

REQUEST = intake_pb2.GetReferralRequest(referral_id=REFERRAL)


def signed(house: House, folder: Path, names: list[str], by: Authority | None = None) -> tuple[Path, Path]:
    """A client's certificate with these URI names, by the house's authority or another, and its key."""
    issuer = by or authority.ensure(house.stack.home)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    )
    if names:
        uris = [x509.UniformResourceIdentifier(name) for name in names]
        certificate = certificate.add_extension(x509.SubjectAlternativeName(uris), critical=False)
    files.folder(folder)
    (folder / "certificate.pem").write_bytes(
        certificate.sign(issuer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "key.pem", folder / "certificate.pem"


def answer(house: House, key: Path, certificate: Path) -> grpc.RpcError:
    """What intake says to a call under this certificate."""
    channel = channel_of(house.stack.address("intake"), authority.ensure(house.stack.home).file, key, certificate)
    with channel:
        return refused(lambda: intake_pb2_grpc.IntakeStub(channel).GetReferral(REQUEST, timeout=CALL_SECONDS))


def calls_seen(house: House) -> float:
    """Calls that intake's handlers and interceptor have met, by its own count."""
    with urllib.request.urlopen(f"http://{house.stack.address('intake.http')}/metrics", timeout=5) as page:
        lines = page.read().decode().splitlines()
    counts = [line for line in lines if "Intake/" in line and "_count{" in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


URI = f"spiffe://{TRUST_DOMAIN}/officer/officer-bad-input"


@pytest.mark.parametrize("process", SERVICES)
def test_without_a_certificate_the_handshake_fails(house: House, process: str) -> None:
    ours = authority.ensure(house.stack.home).issue("officer", "officer-bad-input")

    assert first_word(house, process, ours) != b""
    # gRPC ends the handshake by closing: TLS 1.3 tells a client only when it reads that it was not let in.
    assert first_word(house, process, None) == b""


def first_word(house: House, process: str, identity: Identity | None) -> bytes:
    """The first byte that a server says by HTTP/2 after the handshake; none where it hung up."""
    host, _, port = house.stack.address(process).partition(":")
    trust = ssl.create_default_context(cafile=str(authority.ensure(house.stack.home).file))
    trust.set_alpn_protocols(["h2"])
    if identity is not None:
        trust.load_cert_chain(identity.certificate, identity.key)
    with (
        socket.create_connection((host, int(port)), timeout=CALL_SECONDS) as plain,
        trust.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.recv(1)


def test_without_tls_nothing_is_said(house: House) -> None:
    with grpc.insecure_channel(house.stack.address("intake")) as channel:
        error = refused(lambda: intake_pb2_grpc.IntakeStub(channel).GetReferral(REQUEST, timeout=CALL_SECONDS))

    assert error.code() is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_reaches_no_handler(house: House, tmp_path: Path) -> None:
    other = authority.ensure(files.find(tmp_path / "elsewhere"))
    before = calls_seen(house)

    error = answer(house, *signed(house, tmp_path / "theirs", [URI], by=other))

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert calls_seen(house) == before


@pytest.mark.parametrize(
    "names",
    [
        [URI, f"spiffe://{TRUST_DOMAIN}/supervisor/officer-bad-input"],
        [],
        ["https://example.invalid/officer"],
        ["spiffe://elsewhere.invalid/officer/officer-bad-input"],
        [f"spiffe://{TRUST_DOMAIN}/king/officer-bad-input"],
        [f"spiffe://{TRUST_DOMAIN}/officer/../supervisor/x"],
        [f"spiffe://{TRUST_DOMAIN}/officer"],
    ],
    ids=["two names", "no name", "another scheme", "another domain", "unknown role", "with a path", "without an id"],
)
def test_a_certificate_that_does_not_say_who_calls_is_refused(house: House, tmp_path: Path, names: list[str]) -> None:
    error = answer(house, *signed(house, tmp_path, names))

    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "<role>/<id>" in (error.details() or "") or "roles are" in (error.details() or "")


def test_whoever_is_not_in_the_directory_is_refused(house: House, tmp_path: Path) -> None:
    error = answer(house, *signed(house, tmp_path, [f"spiffe://{TRUST_DOMAIN}/officer/never-entered"]))

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "directory" in (error.details() or "")


def test_whoever_is_taken_out_of_the_directory_is_refused_at_once(house: House) -> None:
    leaver = house.who("officer", "leaver")
    stub = house.stub("Intake", leaver)
    assert refused(lambda: stub.GetReferral(REQUEST, timeout=CALL_SECONDS)).code() is grpc.StatusCode.NOT_FOUND

    directory.remove(house.stack.home, "officer", "leaver")
    assert refused(lambda: stub.GetReferral(REQUEST, timeout=CALL_SECONDS)).code() is grpc.StatusCode.PERMISSION_DENIED

    directory.write(house.stack.home, "officer", "leaver", {"name": "back", "kind": "officer"})
    assert refused(lambda: stub.GetReferral(REQUEST, timeout=CALL_SECONDS)).code() is grpc.StatusCode.NOT_FOUND
