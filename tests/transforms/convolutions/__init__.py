"""Convolutions fused with what prepares their input."""
