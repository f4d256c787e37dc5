"""One mutated servable after the other, in a process of its own, which a mutation may end.

    python -m tests.hostile.fuzz_case ORIGINALS FIRST LAST

Prints for each case what is being done, and how it went.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from estimator_slim import EstimatorSlimError, optimize_saved_model  # noqa: E402
from estimator_slim.options import DEFAULT  # noqa: E402
from tests.hostile.damage import listing  # noqa: E402
from tests.hostile.mutations import mutate  # noqa: E402
from tests.support.ask import ask, served, values  # noqa: E402

MEMORY = 8 << 30
LOSSLESS = DEFAULT.replace("quantize_weights", "").replace("  ", " ")
LISTS = ["", LOSSLESS, LOSSLESS, DEFAULT, "quantize_weights(bits=4)", "quantize_nodes quantize_weights"]


def run(original: Path, seed: int, folder: Path) -> dict[str, Any]:
    """Mutates a copy of a servable and optimizes it; says how that went.

    Returns:
      `outcome`: rejected (by an EstimatorSlimError), accepted, looser (the original does not load; what
        verification is for), uncaught (another error), littered (files where none may be), unlike (the
        original loads, the slim servable does not) or differs (in answers).
      `detail`: the message, and whatever helps to find out more.
    """
    rng = random.Random(seed)
    source, slim = folder / "source", folder / "slim"
    shutil.copytree(original, source)
    done, transforms = mutate(source, rng), rng.choice(LISTS)
    case = {"seed": seed, "original": original.parent.name, "done": done, "transforms": transforms}
    before = listing(folder)
    stage("optimizing", case)
    try:
        optimize_saved_model(source, slim, transforms, verify="off")
    except EstimatorSlimError as error:
        kind = "rejected" if listing(folder) == before else "littered"
        return {**case, "outcome": kind, "detail": f"{type(error).__name__}: {error}"}
    except BaseException as error:
        import traceback
        return {**case, "outcome": "uncaught", "detail": "".join(
            traceback.format_exception(error)[-3:])[-1500:]}
    requests = json.loads((original.parent / "requests.json").read_text(encoding="utf-8"))
    answers = []
    for directory in (source, slim):
        stage(f"loading {directory.name}", case)
        answers.append(_answers(str(directory), requests))
    return {**case, **_compared(*answers, exact=transforms in ("", LOSSLESS))}


def _answers(directory: str, requests: Any) -> Any:
    """What the servable answers, or the name of the error that loading it ended with."""
    try:
        return ask(directory, [np.array(r) if isinstance(r, list) else r for r in requests],
                   optimizer=False)
    except Exception as error:
        return type(error).__name__


def _compared(original: Any, slim: Any, *, exact: bool) -> dict[str, str]:
    if isinstance(original, str) or isinstance(slim, str):
        same = isinstance(original, str) == isinstance(slim, str)
        kind = "accepted" if same else "looser" if isinstance(original, str) else "unlike"
        return {"outcome": kind, "detail": f"{original!s:.99} {slim!s:.99}"}
    for key, answer in original.items():
        if isinstance(answer, str) != isinstance(slim[key], str):
            return {"outcome": "differs", "detail": f"{key}: {answer!s:.200} {slim[key]!s:.200}"}
        if exact and not isinstance(answer, str) and not _alike(values(answer), values(slim[key])):
            return {"outcome": "differs", "detail": f"{key}: {answer!s:.300} {slim[key]!s:.300}"}
    return {"outcome": "accepted", "detail": ""}


def _alike(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        one[k].shape == other[k].shape and (
            np.allclose(one[k], other[k], rtol=1e-4, atol=1e-4, equal_nan=True)
            if one[k].dtype.kind in "fc" else np.array_equal(one[k], other[k])) for k in one)


def stage(what: str, case: dict) -> None:
    print(json.dumps({**case, "stage": what}), flush=True)


def main() -> None:
    warnings.simplefilter("ignore")
    tf.get_logger().setLevel("ERROR")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    originals = sorted(p for p in Path(sys.argv[1]).glob("*/1") if p.is_dir())
    for seed in range(int(sys.argv[2]), int(sys.argv[3])):
        with tempfile.TemporaryDirectory() as folder:
            result = run(originals[seed % len(originals)], seed, Path(folder))
        print(json.dumps(result), flush=True)


assert served  # imported for whoever looks at a case by hand
if __name__ == "__main__":
    main()
