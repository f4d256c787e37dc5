"""How the functions of a graph call one another: TensorFlow follows each call when it imports a graph.

A function that calls itself, or a deep chain of calls, ends the process; functions that call the next
one twice take time that doubles with each. Branches and loops (If, While) are not followed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorflow.core.framework import function_pb2

from estimator_slim.graph.functions import followed_by_import

MOST_NODES, DEEPEST = 200_000, 256


def unsound_calls(library: function_pb2.FunctionDefLibrary) -> Iterator[str]:
    """What is wrong with the calls among the functions of `library`, a clause for each fault."""
    bodies = {f.signature.name: f.node_def for f in library.function}
    if len(bodies) < len(library.function):
        yield "two of its functions have the same name"
    calls = {name: [c for c in map(followed_by_import, body) if c in bodies]
             for name, body in bodies.items()}
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    for name in _callees_first(calls):
        sizes[name] = len(bodies[name]) + sum(sizes[c] for c in calls[name])
        depths[name] = 1 + max((depths[c] for c in calls[name]), default=0)
        if sizes[name] > MOST_NODES or depths[name] > DEEPEST:
            yield (f"its function {name!r} stands for {sizes[name]:,} nodes, its calls {depths[name]} "
                   f"deep; expected at most {MOST_NODES:,} nodes and {DEEPEST} functions")
            return
    for name in bodies.keys() - sizes.keys():
        yield f"its function {name!r} calls itself, or one that does"


def _callees_first(calls: dict[str, list[str]]) -> Iterator[str]:
    """The functions, each after those that it calls; without those that end up in a circle."""
    callers: dict[str, list[str]] = {name: [] for name in calls}
    waiting = {name: len(callees) for name, callees in calls.items()}
    for name, callees in calls.items():
        for callee in callees:
            callers[callee].append(name)
    ready = [name for name, count in waiting.items() if not count]
    while ready:
        name = ready.pop()
        yield name
        for caller in callers[name]:
            waiting[caller] -= 1
            if not waiting[caller]:
                ready.append(caller)
