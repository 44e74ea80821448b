"""No writer's fact can be read as another's, whatever topic it lies on."""

from itertools import permutations
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from safeguarding.v1.triage_pb2 import TriageFact

WRITERS: list[Any] = [IntakeFact, TriageFact, RoutingFact]


def filled(fact_type: Any) -> list[Any]:
    """A fact of each kind of a writer, with nothing in it but its kind."""
    kinds = fact_type.DESCRIPTOR.oneofs_by_name["fact"].fields
    facts = []
    for kind in kinds:
        fact = fact_type()
        getattr(fact, kind.name).SetInParent()
        facts.append(fact)
    return facts


@pytest.mark.parametrize(("written", "read"), list(permutations(WRITERS, 2)), ids=lambda kind: kind.__name__)
def test_a_fact_of_one_writer_is_no_fact_of_another(written: Any, read: Any) -> None:
    for fact in filled(written):
        try:
            misread = read.FromString(fact.SerializeToString())
        except DecodeError:
            continue
        assert misread.WhichOneof("fact") is None
