"""What each service is told at its start: environment file, certificate, entry in the directory."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.audit.log.note import Signer
from services.cli.local import authority, directory
from services.cli.local import home as files
from services.cli.local.authority import TRUST_DOMAIN, Authority
from services.cli.local.credentials import Credentials, x25519_public_key
from services.cli.local.home import CHECKOUT, Home
from services.topics import SERVICES

AREAS = CHECKOUT / "deploy" / "areas"
NEED_INTAKE = ("triage", "partner-routing", "audit")


def write(home: Home, ports: dict[str, int], secrets: Credentials, area: str) -> None:
    """Write all of it; what is there already keeps its keys."""
    issuer = authority.ensure(home)
    files.write(_hpke_file(home), secrets["hpke.partner-routing"])
    files.write(_log_key_file(home), secrets["log.audit"] + "\n")
    files.write(home.audit / "log.vkey", f"{Signer.parse(secrets['log.audit']).verifier}\n")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda service: _write_one(home, ports, secrets, area, issuer, service), SERVICES))


def default_area() -> str:
    """REFERRALS_AREA, else the first area of the checkout by name."""
    present = sorted(path.name for path in AREAS.glob("*") if path.is_dir())
    return os.environ.get("REFERRALS_AREA") or next(iter(present), "example")


def routing_public_key(secrets: Credentials) -> str:
    """Partners encrypt the personal parts of their replies to this key: hex, 32 raw bytes."""
    return x25519_public_key(secrets["hpke.partner-routing"])


def settings(  # one argument for each thing that a service is told about
    home: Home, ports: dict[str, int], secrets: Credentials, area: str, issuer: Authority, service: str
) -> dict[str, str]:
    """The service's settings, without its prefix."""
    identity = issuer.issue("service", service)
    told = {
        "ENVIRONMENT": "local",
        "KAFKA_SERVERS": _local(ports["kafka"]),
        "KAFKA_USERNAME": service,
        "KAFKA_PASSWORD": secrets[f"kafka.{service}"],
        "KAFKA_SECURITY": "SASL_PLAINTEXT",
        "MONGO_URL": f"mongodb://{_local(ports['mongo'])}",
        "MONGO_DATABASE": service.replace("-", "_"),
        "GRPC_ADDRESS": _local(ports[service]),
        "HTTP_ADDRESS": _local(ports[f"{service}.http"]),
        "TLS_CERTIFICATE": str(identity.certificate),
        "TLS_KEY": str(identity.key),
        "TLS_AUTHORITY": str(identity.authority),
        "TRUST_DOMAIN": TRUST_DOMAIN,
        "DIRECTORY": str(home.directory),
        "AREA": str(AREAS / area),
        "REQUEST_HMAC_KEY": secrets[f"hmac.{service}"],
        "LOG_LEVEL": "INFO",
    }
    if service == "intake":
        told["KEY_ENCRYPTION_KEY"] = secrets["kek.intake"]
        told["LINKING_KEY"] = secrets["linking.intake"]
    if service == "triage":
        told["INDEX_KEY"] = secrets["index.triage"]
    if service == "partner-routing":
        told["HPKE_PRIVATE_KEY"] = str(_hpke_file(home))
    if service == "audit":
        told["LOG"] = str(home.audit / "log")
        told["LOG_KEY"] = str(_log_key_file(home))
        told["LOG_ADDRESS"] = _local(ports["audit.log"])
        told["LOG_SECOND_MEMORY"] = str(home.data / "audit-log.signed")
        if home.witnesses.exists():
            told["LOG_WITNESSES"] = str(home.witnesses)
    if service in NEED_INTAKE:
        told["INTAKE_ADDRESS"] = _local(ports["intake"])
    return told


def _write_one(
    home: Home, ports: dict[str, int], secrets: Credentials, area: str, issuer: Authority, service: str
) -> None:
    told = settings(home, ports, secrets, area, issuer, service)
    prefix = service.replace("-", "_").upper()
    files.write(home.environment(service), "".join(f"{prefix}_{name}={value}\n" for name, value in told.items()))
    fields: dict[str, directory.Value] = {"name": f"The service {service}", "kind": "service"}
    if service == "partner-routing":
        fields["public_key"] = routing_public_key(secrets)
    directory.write(home, "service", service, fields)


def _hpke_file(home: Home) -> Path:
    return home.root / "env" / "partner-routing.hpke"


def _log_key_file(home: Home) -> Path:
    return home.root / "env" / "audit.log-key"


def _local(port: int) -> str:
    return f"127.0.0.1:{port}"
