"""Many servables: those that are done are passed over, a pool of processes does the others."""

from estimator_slim.fleet.function import chosen_for_many, optimize_saved_models
from estimator_slim.fleet.job import Job, Result, optimize_job
from estimator_slim.fleet.sources import destination_in, destination_of, is_pattern, servables
from estimator_slim.fleet.summary import Summary, table_row

__all__ = [
    "Job",
    "Result",
    "Summary",
    "chosen_for_many",
    "destination_in",
    "destination_of",
    "is_pattern",
    "optimize_job",
    "optimize_saved_models",
    "servables",
    "table_row",
]
