"""Backups and what protects them."""
