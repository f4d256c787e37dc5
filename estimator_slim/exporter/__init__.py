"""Exporting: one exporter around another, which keeps a slim twin of each version that appears."""

from estimator_slim.exporter.optimizing_exporter import OptimizingExporter
from estimator_slim.exporter.syncing import Export, exports_in

__all__ = ["Export", "OptimizingExporter", "exports_in"]
