"""Load: files that locust runs, and the process that they run in."""
