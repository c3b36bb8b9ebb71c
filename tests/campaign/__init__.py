"""The fault campaign: every fault turns red exactly what it names. ``python -m tests.campaign``."""
