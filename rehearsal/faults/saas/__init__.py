"""Faults of services of others that people work with."""
