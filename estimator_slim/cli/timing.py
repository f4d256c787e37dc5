"""What one servable takes, measured in this process, which is new and does nothing else.

    python -c "from estimator_slim.cli.timing import main; main()" < job (pickle) > result (JSON)

It is loaded as TensorFlow Serving loads it: variables restored, init op run, graph optimizer on, CPU.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from estimator_slim.cli.apart import answer

MEMORY = "memory, MB"
_WARM_UP = 10  # requests of each batch size before the clock is looked at


@dataclass(frozen=True)
class Loaded:
    """A servable to load.

    Attributes:
      directory: of the servable.
      tags: of its MetaGraph.
      imports: modules of operations.
    """

    directory: str
    tags: tuple[str, ...]
    imports: tuple[str, ...]


@dataclass(frozen=True)
class Asking:
    """How a servable is asked.

    Attributes:
      signature: that is asked.
      inputs: input key → array; a batch of n rows is made of these, over and over.
      batches: rows of a request.
      seconds: that each batch size, and the clients together, are asked for.
      clients: that ask at once, batches of the first size.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    batches: tuple[int, ...]
    seconds: float
    clients: int


@dataclass(frozen=True)
class Timed(Loaded):
    """One to ask as well, as `asking` says."""

    asking: Asking


def measure(job: Loaded) -> dict[str, float]:
    """Milliseconds, bytes and requests a second, each by its name."""
    import tensorflow  # noqa: F401  before the clock is looked at, and the memory

    from estimator_slim.libraries import import_libraries
    from estimator_slim.usage import most_memory, resident_memory
    import_libraries(job.imports)
    before, started = resident_memory(), time.perf_counter()
    session, signatures = _loaded(job)
    load = time.perf_counter() - started
    found = {}
    if isinstance(job, Timed):
        found = asked(_signature(session, signatures, job.asking), job.asking)
    return {"load, ms": 1e3 * load, **found, MEMORY: (resident_memory() - before) / 1e6,
            "most memory, MB": (most_memory() - before) / 1e6}


def asked(ask: Callable[[list], Any], how: Asking) -> dict[str, float]:
    """Milliseconds and requests a second of what takes the values of a request."""
    batches = {n: _batch(how.inputs, n) for n in how.batches}
    first = _seconds(lambda: ask(batches[how.batches[0]]))
    found = {"first request, ms": 1e3 * first}
    for n, inputs in batches.items():
        taken = sorted(_repeated(ask, inputs, how.seconds))
        found[f"median of a batch of {n}, ms"] = 1e3 * statistics.median(taken)
        found[f"99th of 100 of a batch of {n}, ms"] = 1e3 * taken[int(0.99 * (len(taken) - 1))]
    found[f"requests a second, {how.clients} clients"] = _throughput(
        ask, batches[how.batches[0]], how.clients, how.seconds)
    return found


def _loaded(job: Loaded) -> tuple[Any, Any]:
    """The servable's session and its signatures."""
    import tensorflow as tf
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0}, allow_soft_placement=True)
    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    with session.graph.as_default():
        loaded = tf.compat.v1.saved_model.load(session, list(job.tags), job.directory)
    return session, loaded.signature_def


def _signature(session: Any, signatures: Any, how: Asking) -> Callable[[list], Any]:
    """The signature that is asked, as a function of the values of its inputs in the order of `how`."""
    signature = signatures[how.signature]
    fetches = [one.name for one in signature.outputs.values() if one.name]
    feeds = [signature.inputs[key].name for key in how.inputs]
    run = session.make_callable(fetches, feed_list=feeds)
    return lambda values: run(*values)


def _batch(inputs: dict[str, np.ndarray], rows: int) -> list[np.ndarray]:
    return [np.take(one, np.arange(rows) % len(one), axis=0) for one in inputs.values()]


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _repeated(ask: Callable, inputs: list, seconds: float) -> list[float]:
    """Seconds of each request, one after the other."""
    for _ in range(_WARM_UP):
        ask(inputs)
    taken: list[float] = []
    until = time.perf_counter() + seconds
    while not taken or time.perf_counter() < until:
        taken.append(_seconds(lambda: ask(inputs)))
    return taken


def _throughput(ask: Callable, inputs: list, clients: int, seconds: float) -> float:
    """Requests a second of so many threads together."""
    counts, started = [0] * clients, time.perf_counter()

    def client(number: int) -> None:
        while time.perf_counter() < started + seconds:
            ask(inputs)
            counts[number] += 1
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return sum(counts) / (time.perf_counter() - started)


def main() -> None:
    """As `measured_apart` starts it."""
    answer(measure)
