"""Faults of backups."""
