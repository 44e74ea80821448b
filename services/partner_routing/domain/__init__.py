"""Partner-routing's decider, a file for each question: where legs stand, who is offered, what a reply does, the end."""

from services.partner_routing.domain.decider import ROUTING, RoutingDecider
from services.partner_routing.domain.leg import Leg
from services.partner_routing.domain.state import State

__all__ = ["ROUTING", "Leg", "RoutingDecider", "State"]
