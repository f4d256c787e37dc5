"""Mutants: copies of the package with one line changed, each of which a test has to find."""
