"""Load and faults against the whole local stack, and a checker that knows only what clients and partners saw."""
