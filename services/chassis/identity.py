"""Who calls: the certificate's one URI name, spiffe://<domain>/<role>/<id>, never what a request says."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from safeguarding.v1.access_control_pb2 import Role
from safeguarding.v1.common_pb2 import Actor
from services.chassis.errors import Unauthenticated

ROLES: Mapping[str, "Role.ValueType"] = {
    name.removeprefix("ROLE_").lower(): number for name, number in Role.items() if number != Role.ROLE_UNSPECIFIED
}
"""Role numbers by the word in a certificate, such as officer."""
ROLE_NAMES = {number: name for name, number in ROLES.items()}

_NAME = re.compile(r"spiffe://(?P<domain>[^/]+)/(?P<role>[a-z]+)/(?P<id>[a-z0-9][a-z0-9._-]{0,99})")
_RIGHT = "present a certificate with the one URI name spiffe://{domain}/<role>/<id>"


@dataclass(frozen=True, slots=True)
class Name:
    """What a certificate says: a role and an id of this trust domain."""

    role: "Role.ValueType"
    id: str

    @property
    def role_name(self) -> str:
        """The role as certificates and the directory write it."""
        return ROLE_NAMES[self.role]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: what the certificate says, with what the directory says of them."""

    role: "Role.ValueType"
    id: str
    kind: str = ""
    """Such as special_constable; empty where the directory says nothing."""
    team: str = ""

    @property
    def role_name(self) -> str:
        """The role as certificates and the directory write it."""
        return ROLE_NAMES[self.role]

    def actor(self) -> Actor:
        """The same, as facts carry it."""
        return Actor(role=self.role, id=self.id, kind=self.kind)


def name_of(auth_context: Mapping[str, Iterable[bytes]], domain: str) -> Name:
    """The one name in the peer's certificate.

    Raises Unauthenticated for no or several URI names, another trust domain, or an unknown role.
    """
    # gRPC itself sets peer_spiffe_id only for one URI name; we count as well, so as not to lean on that.
    uris = tuple(auth_context.get("peer_uri", ()))
    spiffe = tuple(auth_context.get("peer_spiffe_id", ()))
    if len(uris) != 1 or spiffe != uris:
        wrong = f"the certificate has {len(uris)} URI names" if len(uris) != 1 else "the URI name is no SPIFFE id"
        raise Unauthenticated(wrong, _RIGHT.format(domain=domain))
    return _parse(uris[0], domain)


@lru_cache(maxsize=4096)  # only names that our own authority signed come this far
def _parse(uri: bytes, domain: str) -> Name:
    right = _RIGHT.format(domain=domain)
    found = _NAME.fullmatch(uri.decode("ascii", "replace"))
    if found is None:
        raise Unauthenticated("the certificate's URI name has another form", right)
    if found["domain"] != domain:
        raise Unauthenticated("the certificate is of another trust domain", right)
    if found["role"] not in ROLES:
        raise Unauthenticated("the certificate names an unknown role", f"roles are {', '.join(ROLES)}")
    return Name(ROLES[found["role"]], found["id"])
