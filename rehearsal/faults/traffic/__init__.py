"""Faults of what stands between users and the application."""
