"""Weights in fewer bits, and where they are placed."""
