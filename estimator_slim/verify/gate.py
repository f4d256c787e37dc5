"""The gate before a slim servable is published: does it answer as the original does?"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import tensorflow as tf

from estimator_slim import log
from estimator_slim.errors import SourceError, VerificationError
from estimator_slim.report import Failure, Report, Verification
from estimator_slim.saved_model import Servable
from estimator_slim.transforms import LOSSLESS, Bounds
from estimator_slim.verify.advice import refusal, unasked
from estimator_slim.verify.answers import Heard, Job, ask
from estimator_slim.verify.comparison import compare, fixed_outputs
from estimator_slim.verify.request import Request

_SECONDS = 600.0         # that asking both may take, and
_BYTES_A_SECOND = 10e6   # for reading their files


def compare_servables(servable: Servable, slim: str, requests: Sequence[Request], bounds: Bounds, *,
                      tags: Sequence[str] = ("serve",), byte_count: int = 0) -> Verification:
    """Asks original and slim servable the same and compares what they answer.

    Args:
      servable: the original, as read.
      slim: directory of the slim servable, published or not.
      requests: the questions; those that the original takes long over are left out.
      bounds: what is allowed.
      tags: of the MetaGraph in both.
      byte_count: of both servables' files, which limits the time that this may take.

    Raises:
      SourceError: TensorFlow cannot load the original.
      DestinationError: the folder for temporary files cannot be written.
    """
    requests = in_turns(requests)
    jobs = [Job(directory, requests, tuple(tags)) for directory in (servable.directory, slim)]
    try:
        put = functools.partial(ask, seconds=_SECONDS + byte_count / _BYTES_A_SECOND)
        original, other = put(jobs)
        _require_loaded(servable.directory, original)
        fixed = fixed_outputs(servable.graph)
        found = compare(requests, original, other, bounds, fixed=fixed)
        if not found.passed:
            unsteady = _unsteady(requests, original, put(jobs[:1])[0])
            found = compare(requests, original, other, bounds, fixed=fixed, unsteady=unsteady)
        return replace(found, asked=len(requests))
    except VerificationError as error:
        return Verification(failures=(Failure("", "", str(error)),))


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


def in_turns(requests: Sequence[Request]) -> list[Request]:
    """The first request of each signature, then the second ones: where time runs out, each was asked."""
    turns: dict[str, int] = defaultdict(int)
    numbered = []
    for request in requests:
        numbered.append((turns[request.signature], request))
        turns[request.signature] += 1
    return [request for _, request in sorted(numbered, key=lambda one: one[0])]


def _require_loaded(directory: str, original: Heard) -> None:
    if original.refused:
        raise SourceError(f"{directory} cannot be loaded by TensorFlow {tf.__version__} "
                          f"({original.refused.error}: {original.refused.message}); export it again "
                          "or, where it is for another TensorFlow, optimize it with verify='off'")


def _unsteady(requests: Sequence[Request], once: Heard, again: Heard) -> frozenset[tuple[str, str]]:
    """(signature, output) of what the original itself answers otherwise when it is loaded once more."""
    found = compare(requests, once, again, LOSSLESS)
    return frozenset((failure.signature, failure.output) for failure in found.failures if failure.output)
