"""Kafka in: whole fetches go to the engine, and offsets are committed only past what has taken effect."""

# KafkaIn is imported from its own module: it brings Faust, which who only names records can do without.
from services.chassis.kafka_in.chunk import Chunk, Handle, Held, Position, Record

__all__ = ["Chunk", "Handle", "Held", "Position", "Record"]
