"""Pages, read as their readers do: in a browser."""
