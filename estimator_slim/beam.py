"""Many servables on many machines: a transform of Apache Beam's, from source folders to records.

    import estimator_slim.beam

    records = (pipeline
               | beam.Create(["gs://models/*/export/best/*"])
               | estimator_slim.beam.Optimize(out="gs://slim", relative_to="gs://models"))

Where it runs is said by Beam's own options: on this machine, or by Dataflow, Flink or Spark.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from estimator_slim.errors import OptionError, RequirementError
from estimator_slim.fleet import Job, chosen_for_many, destination_of, optimize_job, servables
from estimator_slim.libraries import import_libraries
from estimator_slim.paths import Path, as_text
from estimator_slim.report import Report

try:
    import apache_beam as beam
except ImportError as e:
    raise RequirementError("estimator_slim.beam needs Apache Beam, which is not installed; install "
                           "apache-beam, or 'estimator-slim[beam]'") from e

__all__ = ["Optimize"]

_one_at_a_time = threading.Lock()  # in a process; how many of these a machine has is Beam's to say


class Optimize(beam.PTransform):
    """Source folders, or patterns of such → a `Report` for each servable, whatever became of it.

    What stands at its destination already, made of the same files with the same options, is passed
    over, so a pipeline that failed is taken up by the same pipeline; a bundle that Beam tries again
    finds what is done. A failure is a record whose `outcome` is `failed` or `refused`.
    """

    def __init__(self, out: Optional[Path] = None, *,  # noqa: UP045
                 relative_to: Optional[Path] = None,  # noqa: UP045
                 tags: Sequence[str] = ("serve",), **options: Any) -> None:
        """Says where to and how.

        Args:
          out: the folder to write to, in which each keeps its path from `relative_to`; None: each goes
            beside its original.
          relative_to: a folder that all sources are in; it goes with `out`.
          tags: of the MetaGraph to optimize.
          options: those of `optimize_saved_models`.

        Raises:
          OptionError: an argument is wrong.
        """
        super().__init__()
        if (out is None) != (relative_to is None):
            raise OptionError("out and relative_to: expected both, as out='gs://slim' and "
                              "relative_to='gs://models', or none; by relative_to each servable's path "
                              "in out is told without the others")
        self._out = None if out is None else as_text(out, "out")
        self._base = "" if relative_to is None else as_text(relative_to, "relative_to")
        self._options, self._tags = chosen_for_many(options), tuple(tags)

    def expand(self, sources: Any) -> Any:
        """As Beam asks it."""
        return (sources | "each servable" >> beam.FlatMap(self._jobs)
                | "spread" >> beam.Reshuffle() | "optimize" >> beam.Map(_report))

    def _jobs(self, source: str) -> Iterator[Job]:
        import_libraries(self._options.imports)
        for found, size in servables([as_text(source, "source")], self._options.patience).items():
            yield Job(found, destination_of(found, self._out, self._base, self._options),
                      self._options, self._tags, size)


def _report(job: Job) -> Report:
    with _one_at_a_time:
        return optimize_job(job).report
