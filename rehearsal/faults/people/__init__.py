"""Faults of what people write, sign and do."""
