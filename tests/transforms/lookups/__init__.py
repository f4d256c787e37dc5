"""Lookups of rows: simplified, merged, made of indicators, sparse."""
