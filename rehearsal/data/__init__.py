"""Data that is prepared, backed up, restored and thrown away."""
