"""The questions of a verification: from the best source there is, and the edge cases beside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from estimator_slim.saved_model.reader import Servable
from estimator_slim.verify.questions.cases import TYPICAL
from estimator_slim.verify.questions.from_input_fn import input_fn_requests
from estimator_slim.verify.questions.made_up import made_up_requests
from estimator_slim.verify.questions.recorded import example_requests, warm_up_requests
from estimator_slim.verify.request import Request


def questions(servable: Servable, *, input_fn: Callable[..., Any] | None = None,
              examples: str | None = None, seed: int = 0) -> list[Request]:
    """What to ask a servable and its slim twin.

    For each signature, real requests from the first of these that has any: `input_fn`, the
    servable's warm-up records, the TFRecord file `examples`. Where there are none, a typical batch
    that is made up from the graph. Behind them made-up edge cases for every signature.

    Raises:
      OptionError: `input_fn` fails, or `examples` cannot be read.
    """
    real: dict[str, list[Request]] = {}
    for source in _sources(servable, input_fn, examples):
        found = [request for request in source if request.signature not in real]
        for request in found:
            real.setdefault(request.signature, []).append(request)
    made_up = [request for request in made_up_requests(servable, seed=seed)
               if request.signature not in real or request.origin != TYPICAL.name]
    return [request for key in sorted(real) for request in real[key]] + made_up


def _sources(servable: Servable, input_fn: Callable[..., Any] | None,
             examples: str | None) -> Iterator[list[Request]]:
    """The requests of each source, the best one first."""
    if input_fn is not None:
        yield input_fn_requests(input_fn, servable)
    yield warm_up_requests(servable.directory)
    if examples is not None:
        yield example_requests(examples, servable)
