"""The engine: one plain thread that runs any decider, in turns, over batches."""

from services.chassis.engine.away import Away, Busy
from services.chassis.engine.engine import Engine
from services.chassis.engine.wiring import Answer, Wiring

__all__ = ["Answer", "Away", "Busy", "Engine", "Wiring"]
