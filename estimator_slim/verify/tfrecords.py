"""The records of a TFRecord file."""

from __future__ import annotations

import tensorflow as tf

from estimator_slim import log
from estimator_slim.verify.answers import refusal

_GZIP = b"\x1f\x8b\x08"  # how such a file begins, whatever its name


def read_records(path: str, most: int) -> list[bytes]:
    """The first `most` records of the file, unpacked where it is a gzip file.

    Where the file is damaged, what stands before the damage; a warning says so.

    Raises:
      tf.errors.OpError: it cannot be opened.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        kind = "GZIP" if file.read(len(_GZIP)) == _GZIP else ""
    records: list[bytes] = []
    with tf.Graph().as_default(), tf.compat.v1.Session(
            config=tf.compat.v1.ConfigProto(device_count={"GPU": 0})) as session:
        dataset = tf.data.TFRecordDataset(path, kind).take(most)
        record = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
        try:
            while True:
                records.append(session.run(record))
        except tf.errors.OutOfRangeError:
            pass
        except tf.errors.DataLossError as e:
            log.warning("estimator_slim: %s is damaged behind record %d and not read further: %s",
                        path, len(records), refusal(e).message)
    return records
