"""Intake: takes concerns in, seals what is personal, and alone keeps the keys."""
