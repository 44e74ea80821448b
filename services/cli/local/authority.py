"""The local certificate authority: each certificate names one identity by one URI; refused elsewhere."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from services.chassis.settings import DEV_AUTHORITY
from services.cli.local import directory
from services.cli.local import home as files
from services.cli.local.home import Home

ORGANISATION = "referrals local development"
TRUST_DOMAIN = "local.referrals.invalid"
LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Identity:
    """The files that prove who somebody is, and those to check others with."""

    uri: str
    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True)
class Authority:
    """Issues certificates into one home."""

    home: Home
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def file(self) -> Path:
        """The authority's certificate, which everybody trusts."""
        return _authority_file(self.home)

    def issue(self, role: str, name: str) -> Identity:
        """The identity `spiffe://<domain>/<role>/<name>`; one that is still good is left as it is.

        A service's certificate serves as well as calls, on localhost and 127.0.0.1; all others only call.
        Raises ValueError for an unknown role or a malformed name.
        """
        directory.check(role, name)
        place = self.home.partners / name if role == "partner" else self.home.identities / role / name
        uri = f"spiffe://{TRUST_DOMAIN}/{role}/{name}"
        identity = Identity(uri, place / "certificate.pem", place / "key.pem", self.file)
        if not self._is_good(identity):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(uri, key.public_key(), serves=role == "service")
            files.write(identity.key, _pem(key))
            files.write(identity.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return identity

    def _is_good(self, identity: Identity) -> bool:
        if not (identity.certificate.exists() and identity.key.exists()):
            return False
        certificate = x509.load_pem_x509_certificate(identity.certificate.read_bytes())
        key = serialization.load_pem_private_key(identity.key.read_bytes(), None)
        fresh = certificate.not_valid_after_utc - _now() > RENEW_BEFORE
        ours = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value == self._key_id()
        return fresh and ours and certificate.public_key() == key.public_key()

    def _sign(self, uri: str, key: ec.EllipticCurvePublicKey, *, serves: bool) -> x509.Certificate:
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if serves:
            names += [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        return (
            _builder(_name(uri.rsplit("/", 1)[1]), self.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(self._key_id(), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _key_id(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())


def ensure(home: Home) -> Authority:
    """The home's authority, made when there is none or it is about to end."""
    file, key_file = _authority_file(home), home.ca / "authority.key"
    if file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_file}: must hold an elliptic-curve key")
        if certificate.not_valid_after_utc - _now() > RENEW_BEFORE:
            return Authority(home, certificate, key)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(DEV_AUTHORITY)  # the name by which services refuse it off loopback
    certificate = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    files.write(key_file, _pem(key))
    files.write(file, certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(home, certificate, key)


def _authority_file(home: Home) -> Path:
    return home.ca / "authority.pem"


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - CLOCK_SKEW)
        .not_valid_after(_now() + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION)
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _now() -> datetime:
    return datetime.now(UTC)
