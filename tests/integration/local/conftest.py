"""A broker and a store of their own, with partners, for the tests of the local stack."""

from collections.abc import Iterator

import pytest

from services.cli.local import partners
from services.cli.local.partners import Partner
from services.cli.local.stack import Stack

SCHOOL = Partner("oak-school", "Oak School", ("school",), ("northtown",))
WATCH = Partner("farm-watch", "Farm Watch", ("farm_watch",), ("northtown", "southtown"))
DESK = Partner("desk-only", "A charity without Kafka", ("charity",), ("northtown",), kafka=False, lead=True)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("home"))
    try:
        stack.start(["kafka", "mongo"])
        partners.add(stack, [SCHOOL, WATCH, DESK])
        yield stack
    finally:
        stack.stop()
