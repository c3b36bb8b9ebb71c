"""Faults of the cloud, and of what the product is deployed with."""

"""Faults of what the product is deployed with."""
