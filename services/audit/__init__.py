"""Audit: puts every record of every topic, once, into one searchable timeline."""
