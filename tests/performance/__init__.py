"""How fast it is, beside its peers: arms interleaved in rounds, on one broker, and what is claimed is a ratio."""
