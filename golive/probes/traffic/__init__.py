"""What stands between users and the application."""
