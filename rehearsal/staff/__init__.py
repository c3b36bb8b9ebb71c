"""The rehearsal's people: who they are, what they write, state and do."""
