"""Monitoring and alerting."""
