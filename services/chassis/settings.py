"""What every service reads from its environment, checked before anything starts."""

import ipaddress
import os
import re
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.kafka_settings import KafkaAccess, UnsafeKafka

DEV_AUTHORITY = "Referrals development authority, loopback only"
"""The common name of every dev CA's certificate, by which it is known and refused off loopback."""

_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_DOMAIN = re.compile(r"[a-z0-9]([a-z0-9._-]{0,253}[a-z0-9])?")


class WrongSettings(Exception):
    """The environment cannot be used; the text names each variable, what is wrong and what is right."""


def _wrong(wrong: str, right: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{wrong}; {right}", {"wrong": wrong, "right": right})


def _address(value: str) -> str:
    found = _ADDRESS.fullmatch(value)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise _wrong("not an address", "give host:port, such as 127.0.0.1:7001")
    return value


def _loopback_address(value: str) -> str:
    if not on_loopback(_address(value)):
        raise _wrong("not on loopback", "metrics and health are plain HTTP: give 127.0.0.1:port")
    return value


def _file(value: Path) -> Path:
    if not value.is_file():
        raise _wrong("no such file", "give the path of a readable PEM file")
    return value


def _folder(value: Path) -> Path:
    if not value.is_dir():
        raise _wrong("no such folder", "give the path of an existing folder")
    return value


def _hex_key(value: SecretStr) -> SecretStr:
    if re.fullmatch(r"[0-9a-fA-F]{64}", value.get_secret_value()) is None:
        raise _wrong("not a key", "give 32 random bytes as 64 hex digits")
    return value


def _domain(value: str) -> str:
    if _DOMAIN.fullmatch(value) is None:
        raise _wrong("not a trust domain", "give the domain of spiffe://<domain>/<role>/<id>, in lower case")
    return value


Address = Annotated[str, AfterValidator(_address)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback_address)]
ExistingFile = Annotated[Path, AfterValidator(_file)]
ExistingFolder = Annotated[Path, AfterValidator(_folder)]
HexKey = Annotated[SecretStr, AfterValidator(_hex_key)]


def on_loopback(address: str) -> bool:
    """Whether host:port is of this machine only. Of names, only localhost is known to be."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class ServiceSettings(BaseSettings):
    """The fields that all services have. Each service's own class sets env_prefix, such as TRIAGE_."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    environment: Literal["local", "production"]
    kafka_servers: str
    kafka_username: str
    kafka_password: SecretStr
    kafka_security: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    kafka_ca: ExistingFile | None = None
    mongo_url: SecretStr
    mongo_database: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,38}$")]
    grpc_address: Address
    http_address: LoopbackAddress
    tls_certificate: ExistingFile
    tls_key: ExistingFile
    tls_authority: ExistingFile
    trust_domain: Annotated[str, AfterValidator(_domain)]
    directory: ExistingFolder
    area: ExistingFolder
    request_hmac_key: HexKey
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    trace_file: Path | None = None
    """Spans are written here, a line each; without it nothing is exported."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of new traces that is recorded; a trace that came along keeps its caller's choice."""

    @model_validator(mode="after")
    def _kafka_is_safe(self) -> Self:
        try:
            _ = self.kafka
        except UnsafeKafka as error:
            raise _wrong("KAFKA_* cannot be used", str(error)) from error
        return self

    @model_validator(mode="after")
    def _dev_authority_stays_on_loopback(self) -> Self:
        exposed = self.environment != "local" or not on_loopback(self.grpc_address)
        if exposed and is_dev_authority(self.tls_authority):
            raise _wrong(
                "TLS_AUTHORITY is a development authority, whose key lies on a developer's disk",
                "use it with ENVIRONMENT=local and GRPC_ADDRESS on 127.0.0.1 only, or give a real one",
            )
        return self

    @cached_property
    def kafka(self) -> KafkaAccess:
        """Where the brokers are and as whom to log in."""
        return KafkaAccess(
            servers=self.kafka_servers,
            username=self.kafka_username,
            password=self.kafka_password.get_secret_value(),
            security=self.kafka_security,
            ca=self.kafka_ca,
        )

    @property
    def hmac_key(self) -> bytes:
        """The key under which requests are compared, as bytes."""
        return bytes.fromhex(self.request_hmac_key.get_secret_value())


def is_dev_authority(path: Path) -> bool:
    """Whether any certificate in the PEM file is a development authority's.

    Raises PydanticCustomError, which `read` turns into a line of WrongSettings, where the file holds none.
    """
    try:
        certificates = x509.load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise _wrong("TLS_AUTHORITY holds no certificate", "give a PEM file with CERTIFICATE blocks") from error
    return any(
        name.value == DEV_AUTHORITY
        for certificate in certificates
        for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


S = TypeVar("S", bound=ServiceSettings)


def read(kind: type[S]) -> S:
    """The service's settings from its environment.

    Raises WrongSettings, which names every wrong, missing or misspelt variable and never shows a value.
    """
    prefix = kind.model_config.get("env_prefix", "")
    wrong = [_misspelt(name, kind, prefix) for name in os.environ if _is_unknown(name, kind, prefix)]
    try:
        settings = kind()
    except ValidationError as error:
        wrong += [_line(details, prefix) for details in error.errors(include_input=False, include_url=False)]
        raise WrongSettings("\n".join(wrong)) from None  # the cause could show what was given
    if wrong:
        raise WrongSettings("\n".join(wrong))
    return settings


def _is_unknown(name: str, kind: type[ServiceSettings], prefix: str) -> bool:
    field = name.lower().removeprefix(prefix.lower())
    return bool(prefix) and name.startswith(prefix) and field not in kind.model_fields


def _misspelt(name: str, kind: type[ServiceSettings], prefix: str) -> str:
    near = get_close_matches(name, [prefix + field.upper() for field in kind.model_fields], n=1)
    right = f"did you mean {near[0]}?" if near else "remove it"
    return f"{name}: no such setting; {right}"


def _line(details: ErrorDetails, prefix: str) -> str:
    where = "".join(str(part) for part in details["loc"][:1]).upper()
    name = f"{prefix}{where}" if where else f"{prefix}*"
    return f"{name}: {'missing; set it' if details['type'] == 'missing' else details['msg']}"
