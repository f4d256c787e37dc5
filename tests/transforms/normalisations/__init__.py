"""Normalisations folded into the layers beside them."""
