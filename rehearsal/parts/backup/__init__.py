"""The jobs around backups."""
