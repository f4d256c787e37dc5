"""The gate before a slim servable is published: does it answer as the original does?"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from estimator_slim import log
from estimator_slim.errors import SourceError, VerificationError
from estimator_slim.report import Asked, Failure, Report, Verification
from estimator_slim.saved_model import Servable
from estimator_slim.transforms import LOSSLESS, Bounds
from estimator_slim.verify.advice import refusal, unasked
from estimator_slim.verify.answers import Heard, Job, NoRoomError, ask_within, thinned_like
from estimator_slim.verify.comparison import (
    Hanging,
    changed_by_requests,
    compare,
    fixed_outputs,
    hanging,
    times_allowed,
)
from estimator_slim.verify.kernels import without_kernels
from estimator_slim.verify.learning import in_turns, learned
from estimator_slim.verify.questions import Trained, is_made_up
from estimator_slim.verify.request import Refusal, Request
from estimator_slim.verify.rows import held_tables, wrong_rows

_SECONDS = 600.0         # that asking both may take, and
_BYTES_A_SECOND = 10e6   # for reading their files
_MOST_QUESTIONS, _FEWEST = 400, 8  # of those asked with every choice


class Original:
    """An original and the questions to it: asked once, and held against any number of slim ones."""

    def __init__(self, servable: Servable, requests: Sequence[Request], *,
                 tags: Sequence[str] = ("serve",), byte_count: int = 0,
                 trained: Trained = MappingProxyType({}), memory: int | None = None) -> None:
        """Asks nothing yet.

        Args:
          servable: the original, as read.
          requests: the questions; those that the original takes long over are left out, and made-up
            ones that it refuses are made up otherwise.
          tags: of the MetaGraph in it and in the slim servables.
          byte_count: of its files, which limits the time that asking may take.
          trained: as of `trained_requests`, for what is made up otherwise.
          memory: bytes that loading a servable may take, beside what TensorFlow takes; None: what is
            free.
        """
        self._memory = memory
        self._servable, self._tags, self._trained = servable, tuple(tags), trained
        self._usual = [request for request, _ in in_turns([(one, None) for one in requests])]
        self._hanging: Sequence[Hanging] = ()
        self._seconds = _SECONDS + 2 * byte_count / _BYTES_A_SECOND

    @property
    def requests(self) -> list[Request]:
        """The questions: as they were given, until the original has shown which it answers."""
        return vars(self).get("_learned", (self._usual,))[0]

    @property
    def has_labels(self) -> bool:
        """Whether the right answers to some of the questions are known."""
        return any(request.labels is not None for request in self._usual)

    def compare(self, slim: str, bounds: Bounds, other: str | None = None) -> Verification:
        """Asks the slim servable in the directory `slim` the same and compares what both answer.

        Args:
          slim: its directory.
          bounds: what is allowed.
          other: directory of the same with another row in the place of those that were dropped; answers
            that are not the same hang on them. None: no rows were dropped.

        Raises:
          SourceError: TensorFlow cannot load the original.
          DestinationError: the folder for temporary files cannot be written.
        """
        try:
            original, (heard, wrong) = self._heard, self._heard_of(slim, bounds)
            self._hanging = hanging(heard, self._ask(other, self.requests)) if other else ()
            found = self._compared(original, heard, bounds)
            if not found.passed:
                found = self._compared(original, heard, bounds, self._unsteady)
            return replace(found, asked=len(self.requests), questions=_by_kind(self.requests),
                           failures=(*found.failures, *wrong),
                           warnings=(*found.warnings, *filter(None, [heard.in_files])))
        except NoRoomError as error:
            return Verification(unverified=(str(error),))
        except VerificationError as error:
            return Verification(failures=(Failure("", "", str(error)),))

    def excesses(self, slim: str, key: str, choices: Sequence[np.ndarray],
                 bounds: Bounds) -> list[float] | None:
        """How far answers are off with each of `choices`, the largest as a multiple of what is allowed.

        Of a servable that has lost the same rows as the one that was compared last.

        Args:
          slim: directory of a servable whose signatures take `choices` as one more input.
          key: of that input.
          choices: the values to ask every question with.
          bounds: what is allowed.

        Returns:
          A number for each of the choices; None where the servable did not answer all questions, or
          where too little of the answers is kept to compare them.
        """
        asked = self.requests[:max(_FEWEST, _MOST_QUESTIONS // len(choices))]
        requests = [replace(one, inputs={**one.inputs, key: choice})
                    for choice in choices for one in asked]
        try:
            heard = self._ask(slim, requests)
        except (NoRoomError, VerificationError):
            return None
        if heard.refused or len(heard.answers) < len(requests):
            return None
        parts = [heard.answers[start:start + len(asked)]
                 for start in range(0, len(requests), len(asked))]
        signatures, errors = self._heard.signatures, []
        for part in parts:
            alike = [thinned_like(*both) for both in zip(self._heard.answers, part)]
            original = [one for one in alike if one is not None]
            if len(original) < len(part):
                return None
            errors.append(times_allowed(self._compared(
                Heard(signatures, original), Heard(signatures, part), bounds), bounds))
        return errors

    def _heard_of(self, slim: str, bounds: Bounds) -> tuple[Heard, list[Failure]]:
        """What a slim servable answers, and what is wrong with rows of its large tables."""
        try:
            tables = held_tables(self._servable, slim, self._tags)
        except SourceError as error:
            return Heard(refused=Refusal(type(error).__name__, str(error))), []
        asked, count = [*self.requests, *(one.request() for one in tables)], len(self.requests)
        heard = self._ask(slim, asked, {one.key: one.signature for one in tables})
        wrong = wrong_rows(tables, heard.answers[count:], bounds)
        return replace(heard, answers=heard.answers[:count]), list(wrong)

    def _ask(self, directory: str, requests: Sequence[Request],
             besides: Mapping[str, meta_graph_pb2.SignatureDef] = MappingProxyType({})) -> Heard:
        job = Job(directory, requests, self._tags, besides=dict(besides))
        return ask_within(job, self._memory, seconds=self._seconds,
                          whole=directory != self._servable.directory)

    def _compared(self, original: Heard, slim: Heard, bounds: Bounds,
                  unsteady: frozenset[tuple[str, str]] = frozenset()) -> Verification:
        return compare(self.requests[:len(slim.answers)] if not slim.refused else self.requests,
                       original, slim, bounds, fixed=self._fixed, changing=self._changing,
                       unsteady=unsteady, found_hanging=self._hanging)

    @property
    def _heard(self) -> Heard:
        """What the original answers."""
        return self._learned[1]

    @functools.cached_property
    def _learned(self) -> tuple[list[Request], Heard]:
        """The questions and what the original answers."""
        heard = self._ask(self._servable.directory, self._usual)
        _require_loaded(self._servable, heard)
        return learned(self._servable, self._usual, heard,
                       functools.partial(self._ask, self._servable.directory), self._trained)

    @functools.cached_property
    def _changing(self) -> dict[tuple[str, str], str]:
        """(signature, output) of what requests themselves change, and what is written."""
        return changed_by_requests(self._servable.graph)

    @functools.cached_property
    def _fixed(self) -> frozenset[tuple[str, str]]:
        return fixed_outputs(self._servable.graph)

    @functools.cached_property
    def _unsteady(self) -> frozenset[tuple[str, str]]:
        """(signature, output) of what it answers otherwise when it is loaded once more."""
        again = self._ask(self._servable.directory, self.requests)
        found = compare(self.requests, self._heard, again, LOSSLESS)
        return frozenset((failure.signature, failure.output) for failure in found.failures
                         if failure.output)


def judge(report: Report, mode: str, *, lossless: bool = False, by_flags: bool = False) -> None:
    """Logs what verification found.

    Args:
      report: of the optimization.
      mode: `enforce`, `require` or `report`.
      lossless: the transforms were to change no answer.
      by_flags: an error names options as flags, and not as arguments.

    Raises:
      VerificationError: it failed and `mode` is not `report`, or `mode` is `require` and some of it, or
        all, could not be verified.
    """
    found = report.verification
    if found is None:
        return
    if not found.passed and mode != "report":
        raise VerificationError(refusal(report, found, lossless=lossless, by_flags=by_flags), report)
    if mode == "require" and (found.unverified or not found.outputs):
        raise VerificationError(unasked(report, found, by_flags=by_flags), report)
    for why in found.unverified:
        log.warning("estimator_slim: %s is not verified: %s", report.destination, why)
    for what in found.warnings:
        log.warning("estimator_slim: %s: %s", report.destination, what)
    if found.passed:
        log.info("estimator_slim: %s", found)
    else:
        for failure in found.failures:
            log.warning("estimator_slim: %s does not answer as its original: %s", report.destination,
                        failure)


def _by_kind(requests: Sequence[Request]) -> tuple[Asked, ...]:
    """How much of what is asked, in the order in which each kind is first asked."""
    rows: dict[tuple[str, str], list[int]] = {}
    for one in requests:
        rows.setdefault((one.signature, one.origin), []).append(one.row_count())
    return tuple(Asked(signature, origin, is_made_up(origin), len(counts), sum(counts))
                 for (signature, origin), counts in rows.items())


def _require_loaded(servable: Servable, original: Heard) -> None:
    directory, missing = servable.directory, without_kernels(servable.graph, original)
    if missing:
        raise SourceError(
            f"{directory} cannot be asked anything here: TensorFlow {tf.__version__} knows the "
            f"operation {', '.join(missing)}, but has no kernel that runs it on a CPU. Export the model "
            "without it; or, where the servers have a TensorFlow that runs it, optimize it with "
            "verify='off'")
    if original.refused:
        raise SourceError(f"{directory} cannot be loaded by TensorFlow {tf.__version__} "
                          f"({original.refused.error}: {original.refused.message}); export it again "
                          "or, where it is for another TensorFlow, optimize it with verify='off'")


