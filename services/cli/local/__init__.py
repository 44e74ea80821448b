"""The stack on one machine without Docker: broker, store, services, and the supervisor that restarts what ends."""
