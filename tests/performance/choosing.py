"""Which of the hop's topics a fact goes to; apart from what makes the facts, so that no arm loads that."""

from safeguarding.v1.intake_pb2 import IntakeFact

SINKS = 8


def chosen(fact: IntakeFact) -> int:
    """Which of the eight topics a fact of the hop goes to."""
    return fact.raised.kinds[0] % SINKS
