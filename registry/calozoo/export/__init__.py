"""Shower files in the formats of other programs."""
