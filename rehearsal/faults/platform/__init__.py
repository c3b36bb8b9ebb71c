"""Faults of the cloud, and of what the product is deployed with."""
