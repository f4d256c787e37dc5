"""Freezing: weights are read by reference, and what loading set up goes on being set up."""
