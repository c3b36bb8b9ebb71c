"""Faults of payments."""
