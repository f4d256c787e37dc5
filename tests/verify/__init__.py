"""Verification: what answers otherwise is caught, what answers alike is let through."""
