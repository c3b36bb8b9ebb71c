"""The cloud and what runs on it."""
