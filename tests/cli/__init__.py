"""The command: what a shell gets of it."""
