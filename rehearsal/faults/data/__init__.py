"""Faults of databases and caches."""
