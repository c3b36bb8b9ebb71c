"""Services of others that people work with."""
