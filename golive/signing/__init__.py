"""Signing on this machine: whose key is at hand, and documents as they were signed."""
