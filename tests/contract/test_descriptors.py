"""The descriptor set that partners and tools are given is the published language, whole and explained."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parents[2]
PROTOS = sorted(str(path.relative_to(ROOT / "protos")) for path in ROOT.glob("protos/safeguarding/**/*.proto"))


@pytest.fixture(scope="module")
def published() -> FileDescriptorSet:
    return FileDescriptorSet.FromString((ROOT / "build" / "protos" / "descriptors.binpb").read_bytes())


def test_every_proto_and_everything_it_imports_is_in_the_set(published: FileDescriptorSet) -> None:
    names = {file.name for file in published.file}

    assert PROTOS
    assert names >= set(PROTOS)
    assert names >= {imported for file in published.file for imported in file.dependency}


@pytest.mark.parametrize("proto", PROTOS)
def test_the_module_in_use_is_the_one_that_is_published(proto: str, published: FileDescriptorSet) -> None:
    module = importlib.import_module(proto.removesuffix(".proto").replace("/", ".") + "_pb2")

    written = next(file for file in published.file if file.name == proto)
    in_use = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    assert _shape(in_use) == _shape(written)


def _shape(file: FileDescriptorProto) -> set[tuple[str | int, ...]]:
    """What a reader depends on: each field's name, number and type, and each call's."""
    fields = {(m.name, f.name, f.number, f.type, f.type_name) for m in file.message_type for f in m.field}
    calls = {(s.name, c.name, c.input_type, c.output_type) for s in file.service for c in s.method}
    return {*fields, *calls}
