"""Payments and sales."""
