"""Who takes part in a launch, what they sign, and what they have stated."""
