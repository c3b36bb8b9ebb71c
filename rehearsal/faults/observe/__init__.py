"""Faults of monitoring."""
