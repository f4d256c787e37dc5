"""Draws values of a type from their domain, as a case wants them: words, ids, numbers, images."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from estimator_slim.verify.questions.cases import IDS_KNOWN, UNIT, WHOLE, Case
from estimator_slim.verify.questions.domain import Domain

_WORDS = tuple(f"word{n}".encode() for n in range(500))
_UNSEEN = tuple(f"{word}{n}".encode() for n in range(9) for word in ("unséen", "新しい", "Ünknown one"))
_KNOWN = 0.9        # of the words, where a vocabulary is known
_FAR = 1000
_QUANTITIES = (2_001, 1_000_001, 1_700_000_000)  # a price, a count, a time
_ENOUGH = 8         # values, for some of them to be edges
_ROWS_AMONG = 16    # one row of so many has an unusual float
_SHAPE = (32, 32, 3)


def draw(rng: np.random.Generator, domain: Domain, dtype: tf.DType, lengths: np.ndarray,
         case: Case) -> np.ndarray:
    """Values of `dtype` for rows of these lengths, end to end; strings are bytes, in an object array."""
    if case.repeated:
        return np.repeat(_draw(rng, domain, dtype, len(lengths), case), lengths)
    drawn = _draw(rng, domain, dtype, int(lengths.sum()), case)
    if case.among and case.of in domain.unusual:
        places = _one_a_row(rng, lengths)
        drawn[places] = np.resize(case.among, len(places))
    return drawn


def _one_a_row(rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """The place of one value in each of a few rows: so few that a row hardly has it in two features."""
    rows = rng.permutation(np.flatnonzero(lengths))[:max(2, len(lengths) // _ROWS_AMONG)]
    return (np.cumsum(lengths) - lengths)[rows] + rng.integers(lengths[rows])


def _draw(rng: np.random.Generator, domain: Domain, dtype: tf.DType, count: int,
          case: Case) -> np.ndarray:
    if dtype == tf.string:
        return _strings(rng, domain, count, case)
    if dtype == tf.bool:
        return rng.random(count) < 0.5
    if dtype.is_integer:
        drawn = _ids(rng, domain, dtype, count, case)
    elif case.floats == WHOLE or (case.floats == IDS_KNOWN and domain.limit):
        drawn = _ids(rng, domain, tf.int64, count, case)
    else:
        drawn = _floats(rng, domain, count, case)
    with np.errstate(over="ignore"):
        return drawn.astype(dtype.as_numpy_dtype)


def _strings(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> np.ndarray:
    if case.words == "empty" and not domain.columns:
        values = [b""] * count
    elif case.words == "known" and domain.image:
        values = encoded_images(rng, domain.image, count)
    elif domain.raw and case.words == "known":
        values = _raw(rng, *domain.raw, count)
    elif domain.columns:
        values = _lines(rng, domain, count, case)
    elif case.words == "known" and domain.is_number:
        values = [b"%d" % number for number in rng.integers(0, case.below, count)]
    elif domain.separator:
        values = _texts(rng, domain, count, case)
    else:
        values = _words(rng, domain, count, case)
    result = np.empty(count, object)
    result[:] = values
    return result


def _raw(rng: np.random.Generator, dtype: tf.DType, size: int, count: int) -> list[bytes]:
    """The bytes of `size` numbers each: any colours of pixels, small integers, or standard normal."""
    kind = dtype.as_numpy_dtype
    drawn = rng.normal(size=(count, size)) if dtype.is_floating else rng.integers(
        0, 256 if dtype.size == 1 else _FAR, (count, size))
    return [row.astype(kind).tobytes() for row in drawn]


def _lines(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> list[bytes]:
    """Comma-separated values."""
    columns = [_draw(rng, inner, dtype, count, case) for dtype, inner in domain.columns]
    written = [[value if isinstance(value, bytes) else b"%d" % value if dtype.is_integer
                else b"%.6g" % value for value in column]
               for (dtype, _), column in zip(domain.columns, columns)]
    return [(domain.separator or b",").join(row) for row in zip(*written)]


def _texts(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> list[bytes]:
    separator, texts = domain.separator or b" ", []
    for length in rng.choice(case.lengths, count).tolist():
        words = _words(rng, domain, length, case)
        texts.append(separator.join(words[:1] * length if case.repeated else words))
    if case.words == "known" and count >= _ENOUGH and domain.edges:
        texts[rng.integers(count)] = separator.join(map(bytes, domain.edges))
    return texts


def _words(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> list[bytes]:
    known = domain.keys or _WORDS
    unseen = np.ones(count, bool) if case.words == "unseen" else rng.random(count) > _KNOWN
    words = [bytes(_UNSEEN[rng.integers(len(_UNSEEN))] if new else known[rng.integers(len(known))])
             for new in unseen]
    return words if case.words == "unseen" else _with_edges(rng, words, domain.edges)


def _ids(rng: np.random.Generator, domain: Domain, dtype: tf.DType, count: int,
         case: Case) -> np.ndarray:
    limit = min(domain.limit or _default_limit(dtype, case), dtype.max)
    if case.ids == "negative" and dtype.min < 0:
        return _with_edges(rng, -rng.integers(1, _FAR, count), (-1,), enough=1)
    if case.ids == "beyond":
        return np.minimum(limit + rng.integers(0, _FAR, count), dtype.max)
    if case.large and domain.quantity:
        return _quantities(rng, dtype, count)
    known = (np.array(domain.keys)[rng.integers(0, len(domain.keys), count)] if domain.keys
             else rng.integers(0, limit, count))
    if case.ids == "padding" and dtype.min < 0:
        return _with_edges(rng, known, (-1,) * max(1, count // 4), enough=1)
    return _with_edges(rng, known, domain.edges or (0, limit - 1))


def _quantities(rng: np.random.Generator, dtype: tf.DType, count: int) -> np.ndarray:
    """From thousands to billions."""
    drawn = np.exp(rng.uniform(np.log(_FAR), np.log(2 * _QUANTITIES[-1]), count)).astype(np.int64)
    return np.minimum(_with_edges(rng, drawn, _QUANTITIES, enough=1), dtype.max)


def _with_edges(rng: np.random.Generator, values: Any, edges: Sequence[Any],
                enough: int = _ENOUGH) -> Any:
    """The values, of which some are edges where there are `enough`."""
    if len(values) >= enough:
        for place, edge in zip(rng.permutation(len(values)), edges):
            values[place] = edge
    return values


def _default_limit(dtype: tf.DType, case: Case) -> int:
    """The limit of ids where none is known; bytes, mostly the colours of pixels, may have any value."""
    return dtype.max + 1 if dtype == tf.uint8 else case.below


def _floats(rng: np.random.Generator, domain: Domain, count: int, case: Case) -> np.ndarray:
    """Standard normal, some ten times as large or as small, with a 0; or spread over the buckets."""
    if case.floats == UNIT:
        return rng.random(count)
    if domain.boundaries:
        low, high = domain.boundaries[0], domain.boundaries[-1]
        margin = (high - low) / len(domain.boundaries) + 1.0
        return rng.uniform(low - margin, high + margin, count) * case.scale
    drawn = rng.normal(size=count) * rng.choice([0.1, 1.0, 1.0, 10.0], count) * case.scale
    return _with_edges(rng, drawn, (0.0,))


def encoded_images(rng: np.random.Generator, kind: str, count: int) -> list[bytes]:
    """`count` images of 32 x 32 pixels in colour, as `jpeg`, `png` or `bmp`; sounds as `wav`."""
    pixels = [rng.integers(0, 256, _SHAPE, np.uint8) for _ in range(count)]
    if kind in ("bmp", "wav"):
        return [_bmp(one) if kind == "bmp" else _wav(one.tobytes()) for one in pixels]
    with tf.Graph().as_default(), tf.compat.v1.Session(
            config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as session:
        given = tf.compat.v1.placeholder(tf.uint8, _SHAPE)
        image = (tf.io.encode_jpeg if kind == "jpeg" else tf.io.encode_png)(given)
        return [session.run(image, {given: one}) for one in pixels]


def _bmp(pixels: np.ndarray) -> bytes:
    """Two headers, of the file and of the image, and the pixels from the lowest row up."""
    height, width, _ = pixels.shape
    content = pixels[::-1, :, ::-1].tobytes()
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", 54 + len(content), 0, 54, 40, width, height, 1, 24, 0,
                               len(content), 0, 0, 0, 0) + content


def _wav(samples: bytes) -> bytes:
    """A sound of one channel, 16 bits a sample, 16,000 samples a second."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(samples)
    return written.getvalue()
