"""Who calls in these tests."""

import pytest

from tests.integration.house import House, Who


@pytest.fixture(scope="session")
def people(house: House) -> dict[str, Who]:
    """One identity of each role that these tests call with."""
    roles = ("officer", "volunteer", "public", "triage", "supervisor", "protection", "auditor", "operator", "system")
    return {role: house.who(role, f"{role}-privacy") for role in roles}
