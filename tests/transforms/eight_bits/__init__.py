"""Layers that run in eight bits, and their ranges."""
