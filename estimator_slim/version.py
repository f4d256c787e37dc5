"""The version of estimator_slim, and those of TensorFlow that it works with."""

from __future__ import annotations

from estimator_slim.errors import RequirementError

VERSION = "0.1.0"
FIRST, LAST = (2, 12), (2, 15)  # TensorFlow 2.15 is the last with Estimators


def require_tensorflow() -> None:
    """Loads TensorFlow, which is no dependency: a second one would land over the one that somebody has.

    Raises:
      RequirementError: there is none, or it is too old or has no Estimators any more.
    """
    wanted = f"TensorFlow {_text(FIRST)} to {_text(LAST)}, the last with Estimators"
    try:
        import tensorflow as tf
        found = tuple(int(part) for part in tf.__version__.split(".")[:2])
    except ModuleNotFoundError as e:
        if e.name != "tensorflow":
            raise
        raise RequirementError(f"estimator_slim needs {wanted}, and there is none in this Python: "
                               "pip install 'estimator-slim[tensorflow]', or 'estimator-slim[cpu]' for "
                               "tensorflow-cpu") from e
    if not FIRST <= found <= LAST:
        raise RequirementError(f"estimator_slim needs {wanted}, and this Python has {tf.__version__}: "
                               "pip install 'tensorflow<2.16'")


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
