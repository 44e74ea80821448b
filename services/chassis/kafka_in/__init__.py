"""Kafka in: whole fetches go to the engine, and offsets are committed only past what has taken effect."""

from services.chassis.kafka_in.chunk import Chunk, Handle, Held, Position, Record
from services.chassis.kafka_in.consumer import KafkaIn

__all__ = ["Chunk", "Handle", "Held", "KafkaIn", "Position", "Record"]
