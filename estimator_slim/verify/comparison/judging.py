"""A slim servable's answers against its original's: what differs, and whether that is allowed.

Some outputs have nothing to do with floats (`fixed_outputs`), and so no reason to change at all, however
lossy the list was: ids that are passed through, strings that are split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

from estimator_slim.graph import Graph, names
from estimator_slim.report import Failure, OutputResult, Part, Verification
from estimator_slim.transforms import Bounds
from estimator_slim.verify.answers import CRASH, Heard, fetched
from estimator_slim.verify.comparison.column import Answered, Column, columns, dtype_name, place
from estimator_slim.verify.comparison.decisions import Scores
from estimator_slim.verify.comparison.dropped_rows import (
    Hanging,
    apart,
    lost_accuracy,
    with_accuracy,
    without_hanging,
)
from estimator_slim.verify.comparison.empty_batches import without_empty_batches
from estimator_slim.verify.comparison.exact import compare_exact, explained_failure
from estimator_slim.verify.comparison.explained import but_for_choices, explained
from estimator_slim.verify.comparison.floats import Floats, failure, measured, result
from estimator_slim.verify.comparison.numbers import is_float
from estimator_slim.verify.questions import EDGES, asks, is_made_up
from estimator_slim.verify.request import Answer, Output, Refusal, Request

_NO_ANSWER = (CRASH, "DeadlineExceededError")  # of the original: nothing to hold the slim servable to

Outputs = frozenset[tuple[str, str]]
Declared = dict[str, dict[str, str]]
_Asked = tuple[Request, Answer, Answer]


def compare(requests: Sequence[Request], original: Heard, slim: Heard, bounds: Bounds, *,
            fixed: Outputs = frozenset(), unsteady: Outputs = frozenset(),
            changing: Mapping[tuple[str, str], str] = MappingProxyType({}),
            found_hanging: Sequence[Hanging] = ()) -> Verification:
    """What the answers to the same requests say.

    Args:
      requests: as both were asked, in order.
      original: what it answered.
      slim: what the slim servable answered.
      bounds: what is allowed.
      fixed: (signature, output) of what no float has a part in.
      unsteady: (signature, output) of what the original itself answers otherwise each time.
      changing: (signature, output) of what requests change → the variable or table that they write.
      found_hanging: for each request, which rows of the answer hang on rows that were dropped; they are
        set apart. Nothing where no rows were dropped.
    """
    if slim.refused:
        return Verification(failures=(Failure("", "", "it cannot be loaded: " + _text(slim.refused)),))
    by_request = {id(request): one for request, one in zip(requests, found_hanging)}
    asked, warnings = without_empty_batches(
        [one for one in zip(requests, original.answers, slim.answers)
         if not asks(one[0].origin, bounds.unjudged) and _binds(*one[:2])])
    failures = [*_changed_declarations(original.signatures, slim.signatures), *_refusals(asked)]
    results: list[OutputResult] = []
    answered = _answered(asked)
    set_apart: list[Part] = []
    for signature, both in answered.items():
        left_out = {output for key, output in {*unsteady, *changing} if key == signature}
        outputs, wrong = _comparable(signature, both, left_out)
        those = columns(signature, both, outputs)
        compared, more = _set_apart(those, by_request, bounds, fixed, set_apart) if by_request else (
            _compared(those, bounds, fixed))
        results += compared
        failures += wrong + more
        if by_request or bounds.max_accuracy_loss is not None:
            failures += lost_accuracy(those, bounds.max_accuracy_loss)
    refused = sum(isinstance(want, Refusal) for _, want, _ in asked)
    return Verification(tuple(results), tuple(failures), sum(map(len, answered.values())), refused,
                        (*_unverified(original, requests), *_left_out(unsteady, changing)),
                        warnings=tuple(warnings),
                        examples=_most_rows(answered, made_up=False),
                        made_up=_most_rows(answered, made_up=True), max_error=bounds.max_error,
                        min_agreement=bounds.min_agreement,
                        apart=max(set_apart, key=lambda one: one.rows, default=None))


def fixed_outputs(graph: Graph) -> frozenset[tuple[str, str]]:
    """(signature, output) for each output that no operation on floats leads to."""
    return frozenset((signature, key) for signature, definition in graph.interface.served().items()
                     for output, info in definition.outputs.items()
                     for key, tensor in fetched(output, info) if not _on_floats(graph, tensor))


def _compared(those: Sequence[Column], bounds: Bounds,
              fixed: Outputs) -> tuple[list[OutputResult], list[Failure]]:
    """The results and failures of one signature's outputs."""
    found: list[tuple[OutputResult, Failure | None]] = []
    beside: list[Scores] = []
    for column in [column for column in those if is_float(column.want[0])]:
        floats = measured(column, bounds)  # of one output at a time: it may be millions of values
        if floats is not None:
            found.append((result(floats), _wrong(floats, bounds)))
            beside += [floats.scores] if floats.scores else []
    found += [compare_exact(column, bounds, beside, fixed=(column.signature, column.output) in fixed)
              for column in those if not is_float(column.want[0])]
    return [one for one, _ in found], [wrong for _, wrong in found if wrong is not None]


def _set_apart(those: Sequence[Column], by_request: Mapping[int, Hanging], bounds: Bounds,
               fixed: Outputs, set_apart: list[Part]) -> tuple[list[OutputResult], list[Failure]]:
    """Likewise, without the rows that hang on dropped rows, which are added to `set_apart`."""
    found = [[by_request.get(id(request), {}) for request in column.requests] for column in those]
    set_apart.append(apart(those, found[0]) if those else Part(0))
    left = [without_hanging(column, one) for column, one in zip(those, found)]
    compared, failures = _compared([one for one in left if any(value.size for value in one.want)],
                                   bounds, fixed)
    whole = {column.output: column for column in those}
    return ([with_accuracy(one, whole[one.output]) for one in compared],
            failures)


def _wrong(floats: Floats, bounds: Bounds) -> Failure | None:
    """What is wrong with an output of floats; of rounded ones, with what they were rounded from."""
    wrong = failure(floats, bounds)
    if wrong is None:
        return None
    found = explained(floats.column, bounds)
    return explained_failure(found, bounds) if found else but_for_choices(floats.column, bounds, wrong)


def _changed_declarations(before: Declared, after: Declared) -> Iterator[Failure]:
    for key in sorted({*before, *after}):
        if key not in after:
            yield Failure(key, "", f"signature {key!r} is missing")
        elif key not in before:
            yield Failure(key, "", f"signature {key!r} is new")
        else:
            for what in sorted({*before[key], *after[key]}):
                was, now = (promises[key].get(what, "missing") for promises in (before, after))
                if was != now:
                    yield Failure(key, what.partition("output ")[2].strip("'"),
                                  f"signature {key!r}: {what} is {now} instead of {was}")


def _refusals(asked: Sequence[_Asked]) -> Iterator[Failure]:
    """Where one servable refuses and the other does not, or for another reason; once a signature."""
    told = set()
    for request, want, got in asked:
        what = _difference(want, got)
        if what and (request.signature, what[0]) not in told:
            told.add((request.signature, what[0]))
            yield Failure(request.signature, "", f"signature {request.signature!r} {what[1]}; "
                          f"{place(request)}")


def _difference(want: Answer, got: Answer) -> tuple[str, str] | None:
    """(the kind of difference, a sentence's end) where refusals differ."""
    if isinstance(want, Refusal) and isinstance(got, Refusal):
        return None if want.error == got.error else (
            "otherwise", f"refuses with {_text(got)} what the original refuses with {_text(want)}")
    if isinstance(got, Refusal):
        return "refuses", f"refuses what the original answers, with {_text(got)}"
    if isinstance(want, Refusal):
        return "answers", f"answers what the original refuses with {_text(want)}"
    return None


def _answered(asked: Sequence[_Asked]) -> dict[str, list[Answered]]:
    """Signature → the requests that both servables answered."""
    found: dict[str, list[Answered]] = {}
    for request, want, got in asked:
        if not isinstance(want, Refusal) and not isinstance(got, Refusal):
            found.setdefault(request.signature, []).append(Answered(request, want, got))
    return found


def _most_rows(answered: dict[str, list[Answered]], *, made_up: bool) -> int:
    """Rows of what one signature was asked, of the one that was asked most."""
    return max((sum(one.row_count() for one in both if is_made_up(one.request.origin) == made_up)
                for both in answered.values()), default=0)


def _comparable(signature: str, both: Sequence[Answered],
                left_out: set[str]) -> tuple[list[str], list[Failure]]:
    """The outputs whose dtypes and shapes are the same in every answer, and a failure for others."""
    outputs, failures = [], []
    for output in sorted({output for one in both for output in one.want} - left_out):
        wrong = next((o for o in both if _form(o.want.get(output)) != _form(o.got.get(output))), None)
        if wrong is None:
            outputs += [output] if all(_is_kept_alike(o, output) for o in both) else []
            continue
        got, want = _form(wrong.got.get(output)), _form(wrong.want.get(output))
        failures.append(Failure(signature, output, f"output {output!r} of signature {signature!r} is "
                                f"{got} instead of {want}; {place(wrong.request)}"))
    return outputs, failures


def _is_kept_alike(one: Answered, output: str) -> bool:
    """False where more is kept of one side than of the other, since another output has a wrong shape."""
    return output not in one.want or one.want[output].values.shape == one.got[output].values.shape


def _unverified(original: Heard, requests: Sequence[Request]) -> Iterator[str]:
    for signature in sorted(original.signatures):
        told = [(request, answer) for request, answer in zip(requests, original.answers)
                if request.signature == signature]
        usual = [answer for request, answer in told if request.origin not in EDGES]
        refused = [answer for answer in usual if isinstance(answer, Refusal)]
        errors = [*refused, *(answer for _, answer in told if isinstance(answer, Refusal))]
        if len(told) == sum(isinstance(answer, Refusal) for _, answer in told):
            yield (f"signature {signature!r}: the original answered none of the {len(told)} questions "
                   f"that there were{_first(errors)}")
        elif 3 * len(refused) > len(usual):
            yield (f"signature {signature!r}: little of it, since the original refused "
                   f"{len(refused)} of {len(usual)} usual questions; give a verify_input_fn whose "
                   f"features it answers{_first(errors)}")


def _first(errors: Sequence[Refusal]) -> str:
    """The original's own first error, whole."""
    return f". It refused the first with {_text(errors[0])}" if errors else ""


def _left_out(unsteady: Outputs, changing: Mapping[tuple[str, str], str]) -> Iterator[str]:
    for signature, output in sorted({*unsteady, *changing}):
        state = changing.get((signature, output))
        why = "the original answers otherwise each time" if state is None else (
            f"requests themselves change what it is made from ({state})")
        yield f"output {output!r} of signature {signature!r}: {why}"


def _binds(request: Request, want: Answer) -> bool:
    """True if the slim servable has to do as the original did: answer alike, or refuse alike."""
    return not (isinstance(want, Refusal) and (want.error in _NO_ANSWER or request.empty()))


def _form(output: Output | None) -> str:
    return "missing" if output is None else f"{dtype_name(output.values)} {list(output.shape)}"


def _text(refusal: Refusal) -> str:
    return f"{refusal.error}: {refusal.message}"


def _on_floats(graph: Graph, tensor: str) -> bool:
    return any(_has_floats(graph.nodes[name]) for name in graph.ancestors({names.node_of(tensor)}))


def _has_floats(node: NodeDef) -> bool:
    """True for an operation that reads or makes floats, or may: what a function does is inside of it."""
    kinds = [kind for a in node.attr.values() for kind in (a.type, *a.list.type) if kind]
    return (any(tf.as_dtype(kind).is_floating for kind in kinds)
            or any(a.HasField("func") or a.list.func for a in node.attr.values()))
