"""Every RPC says who may call it, and what is refused has a status."""

import importlib
import pkgutil

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

import safeguarding.v1
from safeguarding.v1.access_control_pb2 import ROLE_OPERATOR, ROLE_UNSPECIFIED, Role
from services.chassis.deciding import Why
from services.chassis.errors import STATUS_OF
from services.chassis.identity import ROLES
from services.chassis.roles import methods_of, roles_of


def services() -> list[ServiceDescriptor]:
    """Every service of the published language."""
    found: list[ServiceDescriptor] = []
    for module in pkgutil.iter_modules(safeguarding.v1.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"safeguarding.v1.{module.name}")
            path = f"safeguarding/v1/{module.name.removesuffix('_pb2')}.proto"
            found += descriptor_pool.Default().FindFileByName(path).services_by_name.values()
    return found


METHODS = [method for service in services() for method in methods_of(service)]


def test_the_services_are_found() -> None:
    assert {service.name for service in services()} >= {"Intake", "Keys", "Triage", "Audit", "ParkedRecords"}


@pytest.mark.parametrize("method", METHODS)
def test_every_rpc_declares_the_roles_that_may_call_it(method: str) -> None:
    roles = roles_of(method)

    assert roles
    assert ROLE_UNSPECIFIED not in roles
    assert roles <= set(Role.values())


@pytest.mark.parametrize("service", services(), ids=lambda service: str(service.name))
def test_no_rpc_streams_answers_since_the_interceptor_would_keep_it_shut(service: ServiceDescriptor) -> None:
    assert [method.name for method in service.methods if method.server_streaming] == []


def test_roles_are_those_of_the_proto() -> None:
    assert roles_of("/safeguarding.v1.ParkedRecords/ReplayParked") == {ROLE_OPERATOR}


@pytest.mark.parametrize("method", ["/safeguarding.v1.Intake/Nothing", "/no.Such/Service", "", "/"])
def test_what_is_not_known_is_open_to_nobody(method: str) -> None:
    assert roles_of(method) == frozenset()


def test_every_role_of_the_proto_can_stand_in_a_certificate() -> None:
    assert set(ROLES.values()) == set(Role.values()) - {ROLE_UNSPECIFIED}


def test_every_reason_to_refuse_has_its_own_status() -> None:
    assert set(STATUS_OF) == set(Why)
    assert len(set(STATUS_OF.values())) == len(Why)
