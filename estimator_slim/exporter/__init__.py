"""Exporting: one exporter around another, which keeps a slim twin of each version that appears."""

from estimator_slim.exporter.optimizing_exporter import OptimizingExporter

__all__ = ["OptimizingExporter"]
