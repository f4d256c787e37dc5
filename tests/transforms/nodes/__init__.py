"""Nodes renamed, moved between devices, brought to older operations, freed of control edges."""
