"""golive: every line of a go-live procedure as a check that a machine proves."""
