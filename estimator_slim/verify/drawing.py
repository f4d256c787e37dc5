"""Draws values of a type from their domain, as a case wants them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from estimator_slim.verify.cases import Case
from estimator_slim.verify.domain import Domain
from estimator_slim.verify.images import encoded_images

_WORDS = tuple(f"word{n}".encode() for n in range(500))
_UNSEEN = tuple(f"{word}{n}".encode() for n in range(9) for word in ("unséen", "新しい", "Ünknown one"))
_KNOWN = 0.9        # of the words, where a vocabulary is known
_IDS = 8            # unknown ids are below it, so that they may also count what has 8 steps
_FAR = 1000


def draw(rng: np.random.Generator, domain: Domain, dtype: tf.DType, lengths: np.ndarray,
         case: Case) -> np.ndarray:
    """Values of `dtype` for rows of these lengths, end to end; strings are bytes, in an object array."""
    if case.repeated:
        return np.repeat(_draw(rng, domain, dtype, len(lengths), case), lengths)
    return _draw(rng, domain, dtype, int(lengths.sum()), case)


def _draw(rng: np.random.Generator, domain: Domain, dtype: tf.DType, count: int,
          case: Case) -> np.ndarray:
    if dtype == tf.string:
        return _strings(rng, domain, count, case)
    if dtype == tf.bool:
        return rng.random(count) < 0.5
    drawn = _ids(rng, domain, dtype, count, case) if dtype.is_integer else _floats(
        rng, domain, count, case)
    with np.errstate(over="ignore"):
        return drawn.astype(dtype.as_numpy_dtype)


def _strings(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> np.ndarray:
    if case.words == "empty" and not domain.columns:
        values = [b""] * count
    elif case.words == "known" and domain.image:
        values = encoded_images(rng, domain.image, count)
    elif domain.columns:
        values = _lines(rng, domain, count, case)
    elif case.words == "known" and domain.is_number:
        values = [b"%d" % number for number in rng.integers(0, _IDS, count)]
    elif domain.separator:
        values = [_text(rng, domain, case) for _ in range(count)]
    else:
        values = _words(rng, domain, count, case)
    result = np.empty(count, object)
    result[:] = values
    return result


def _lines(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> list[bytes]:
    """Comma-separated values."""
    columns = [_draw(rng, inner, dtype, count, case) for dtype, inner in domain.columns]
    written = [[value if isinstance(value, bytes) else b"%d" % value if dtype.is_integer
                else b"%.6g" % value for value in column]
               for (dtype, _), column in zip(domain.columns, columns)]
    return [(domain.separator or b",").join(row) for row in zip(*written)]


def _text(rng: np.random.Generator, domain: Domain, case: Case) -> bytes:
    count = int(rng.integers(case.lengths[0], case.lengths[1] + 1))
    words = _words(rng, domain, count, case)
    return (domain.separator or b" ").join(words[:1] * count if case.repeated else words)


def _words(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> list[bytes]:
    known = domain.keys or _WORDS
    unseen = np.ones(count, bool) if case.words == "unseen" else rng.random(count) > _KNOWN
    return [bytes(_UNSEEN[rng.integers(len(_UNSEEN))] if new else known[rng.integers(len(known))])
            for new in unseen]


def _ids(rng: np.random.Generator, domain: Domain, dtype: tf.DType, count: int,
         case: Case) -> np.ndarray:
    limit = min(domain.limit or _default_limit(dtype), dtype.max)
    if case.ids == "negative":
        return -rng.integers(1, _FAR, count) if dtype.min < 0 else np.zeros(count, int)
    if case.ids == "beyond":
        return np.minimum(limit + rng.integers(0, _FAR, count), dtype.max)
    if domain.keys:
        return np.array(domain.keys)[rng.integers(0, len(domain.keys), count)]
    return rng.integers(0, limit, count)


def _default_limit(dtype: tf.DType) -> int:
    """All of them for bytes, which are mostly the colours of pixels."""
    return dtype.max + 1 if dtype == tf.uint8 else _IDS


def _floats(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> np.ndarray:
    """Standard normal, some ten times as large or as small; or spread over the buckets."""
    if domain.boundaries:
        low, high = domain.boundaries[0], domain.boundaries[-1]
        margin = (high - low) / len(domain.boundaries) + 1.0
        return rng.uniform(low - margin, high + margin, count) * case.scale
    return rng.normal(size=count) * rng.choice([0.1, 1.0, 1.0, 10.0], count) * case.scale
