"""Faults of the cloud and what runs on it."""
