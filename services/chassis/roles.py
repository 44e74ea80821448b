"""Which roles may call which RPC, as its proto declares it."""

from collections.abc import Iterator

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from safeguarding.v1.access_control_pb2 import roles as roles_option


def roles_of(method: str) -> frozenset[int]:
    """The roles that the proto opens /package.Service/Method to; none where it declares none."""
    service_name, _, method_name = method.removeprefix("/").partition("/")
    try:
        service: ServiceDescriptor = descriptor_pool.Default().FindServiceByName(service_name)
    except KeyError:
        return frozenset()
    found: MethodDescriptor | None = service.methods_by_name.get(method_name)
    return frozenset(found.GetOptions().Extensions[roles_option]) if found is not None else frozenset()


def methods_of(service: ServiceDescriptor) -> Iterator[str]:
    """Every RPC of a service, as /package.Service/Method."""
    for method in service.methods:
        yield f"/{service.full_name}/{method.name}"
