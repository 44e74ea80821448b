"""The local stack as it was started: by commands that only use it, whatever area their own environment names."""

from __future__ import annotations

from services.cli.exits import not_up
from services.cli.local import environments, supervisor
from services.cli.local.home import Home, find
from services.cli.local.stack import Stack


def installed() -> Stack:
    """The stack of this home with the area that its services were told. Raises Failed where it is not up."""
    home = find()
    stack = Stack(home.root, area=_area(home))
    if stack.supervisor() is None:
        raise not_up()
    return stack


def told(home: Home, service: str) -> dict[str, str]:
    """A service's settings without their prefix, as the stack wrote them; empty before its first start."""
    try:
        found = supervisor.read_environment(home.environment(service))
    except FileNotFoundError:
        return {}
    prefix = service.replace("-", "_").upper()
    return {name.removeprefix(f"{prefix}_"): value for name, value in found.items()}


def _area(home: Home) -> str:
    """A path as well as a name: environments.AREAS / path is the path."""
    return told(home, "intake").get("AREA") or environments.default_area()
