"""The engine: one plain thread that runs any decider, in turns, over batches."""

from services.chassis.engine.away import Away, Busy
from services.chassis.engine.engine import Answer, Engine

__all__ = ["Answer", "Away", "Busy", "Engine"]
