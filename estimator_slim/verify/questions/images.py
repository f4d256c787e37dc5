"""Small encoded images of random pixels, for receivers that decode what they get."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_SHAPE = (32, 32, 3)


def encoded_images(rng: np.random.Generator, kind: str, count: int) -> list[bytes]:
    """`count` images of 32 x 32 pixels in colour, as `jpeg` or `png`."""
    encode = tf.io.encode_jpeg if kind == "jpeg" else tf.io.encode_png
    with tf.Graph().as_default(), tf.compat.v1.Session(
            config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as session:
        pixels = tf.compat.v1.placeholder(tf.uint8, _SHAPE)
        image = encode(pixels)
        return [session.run(image, {pixels: rng.integers(0, 256, _SHAPE, np.uint8)})
                for _ in range(count)]
