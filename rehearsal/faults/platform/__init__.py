"""Faults of the cloud, and of what the product is deployed with."""

"""Faults of what the product is deployed with."""
"""Faults of the cloud and what runs on it."""
"""Faults of what the product runs on and is deployed with."""
