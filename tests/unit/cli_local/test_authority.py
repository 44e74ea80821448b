"""The local authority names each identity once, keeps keys private, and is known as a development authority."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from services.chassis.settings import is_dev_authority
from services.cli.local import authority
from services.cli.local.authority import Authority, Identity
from services.cli.local.home import Home


@pytest.fixture
def issuer(tmp_path: Path) -> Authority:
    return authority.ensure(Home(tmp_path / "home"))


def certificate(identity: Identity) -> x509.Certificate:
    return x509.load_pem_x509_certificate(identity.certificate.read_bytes())


def names(identity: Identity) -> x509.SubjectAlternativeName:
    return certificate(identity).extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def test_a_certificate_has_exactly_one_uri_name(issuer: Authority) -> None:
    identity = issuer.issue("officer", "pc-1402")

    assert names(identity).get_values_for_type(x509.UniformResourceIdentifier) == [identity.uri]
    assert identity.uri == "spiffe://local.referrals.invalid/officer/pc-1402"
    assert len(names(identity)) == 1


def test_a_service_also_serves_on_loopback_and_nowhere_else(issuer: Authority) -> None:
    identity = issuer.issue("service", "intake")

    assert len(names(identity).get_values_for_type(x509.UniformResourceIdentifier)) == 1
    assert names(identity).get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names(identity).get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_the_chain_is_valid_for_a_server(issuer: Authority) -> None:
    identity = issuer.issue("service", "intake")
    verifier = PolicyBuilder().store(Store([issuer.certificate])).build_server_verifier(x509.DNSName("localhost"))

    assert len(verifier.verify(certificate(identity), [])) == 2


def test_a_person_cannot_serve(issuer: Authority) -> None:
    found = certificate(issuer.issue("officer", "pc-1402")).extensions.get_extension_for_class(x509.ExtendedKeyUsage)

    assert list(found.value) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_services_know_it_for_a_development_authority(issuer: Authority) -> None:
    assert is_dev_authority(issuer.file)


def test_issuing_again_keeps_key_and_certificate(issuer: Authority) -> None:
    first = issuer.issue("partner", "oak-school")
    before = first.certificate.read_bytes(), first.key.read_bytes()

    again = authority.ensure(issuer.home).issue("partner", "oak-school")

    assert (again.certificate.read_bytes(), again.key.read_bytes()) == before
    assert again.certificate.parent == issuer.home.partners / "oak-school"


def test_a_certificate_of_another_authority_is_replaced(issuer: Authority) -> None:
    before = issuer.issue("officer", "pc-1402").certificate.read_bytes()
    issuer.file.unlink()

    assert authority.ensure(issuer.home).issue("officer", "pc-1402").certificate.read_bytes() != before


def test_files_are_their_owners_alone(issuer: Authority) -> None:
    issuer.issue("officer", "pc-1402")

    assert {path.stat().st_mode & 0o777 for path in issuer.home.root.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in issuer.home.root.rglob("*") if path.is_dir()} == {0o700}


@pytest.mark.parametrize(
    ("role", "name"), [("chief", "pc-1"), ("officer", "../x"), ("officer", "a/b"), ("officer", "")]
)
def test_an_unknown_role_or_a_malformed_name_is_refused(issuer: Authority, role: str, name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        issuer.issue(role, name)
