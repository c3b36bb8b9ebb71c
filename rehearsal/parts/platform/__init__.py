"""The application and its cloud."""
