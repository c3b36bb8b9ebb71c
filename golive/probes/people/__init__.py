"""Whether and how people are reached, and what they learn."""
