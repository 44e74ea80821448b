"""The stack on one machine, without Docker: broker, store, services and their supervisor."""
