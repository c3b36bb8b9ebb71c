"""Faults of what the product runs on and is deployed with."""
