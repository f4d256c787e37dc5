"""From text to slim servable: an intent classifier in about a minute and a half on two cores.

    pip install "estimator-slim[examples]"
    python examples/intent_classifier.py
    python examples/intent_classifier.py --model_dir=intents   # --slim_* flags work too

It trains a tf.estimator.DNNClassifier to tell 42 home-assistant intents apart. Its embedding
table is most of the servable, as in most text classifiers. What estimator_slim needs from a
training program is one line, in train(): the exporter is wrapped. To verify with your own data it
takes an input_fn that gives what requests hold, as raw_text() here. The rest of this file is
an ordinary Estimator program. At its end the original, the slim servable and one for each
preset are loaded as TensorFlow Serving loads them, and compared on sentences that training
never saw.
"""

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow prints CUDA errors without a GPU

import intents_data
import tensorflow as tf
from absl import app, flags, logging
from side_by_side import Servable, compare, to_request

import estimator_slim

FLAGS = flags.FLAGS
flags.DEFINE_string("model_dir", None, "Where to train and export; default: a new temporary one.")
flags.DEFINE_integer("train_steps", 900, "Training steps, each on one batch.", lower_bound=1)
flags.DEFINE_integer("seed", 1, "Decides the sentences, their split and the initial weights.")
flags.DEFINE_boolean("presets", True, "Whether to show what each preset makes of the model, too.")

BUCKETS = 200_000  # rows of the embedding table; wide, so that few words share a row
DIMENSION = 64
BATCH = 128
DEMO_SENTENCES = (
    "turn off the lamp in the guest room",
    "set a timer for 12 minutes called pasta",
    "is the garage door open",
)


# ---- the model ---------------------------------------------------------------------------


def words_and_pairs(sentences: tf.Tensor) -> dict:
    """Features of raw text, in training and in the servable: "dim it" → dim, it, "dim it"."""
    words = tf.strings.split(tf.strings.lower(sentences))
    return {"words": tf.strings.ngrams(words, ngram_width=(1, 2)).to_sparse()}


def classifier(model_dir: str, labels: list, steps: int, seed: int) -> tf.estimator.Estimator:
    words = tf.feature_column.categorical_column_with_hash_bucket("words", BUCKETS)
    return tf.estimator.DNNClassifier(
        hidden_units=[64],
        feature_columns=[tf.feature_column.embedding_column(words, DIMENSION)],
        n_classes=len(labels),
        label_vocabulary=labels,
        # Adagrad updates only the rows of the table that a batch reads; its small initial
        # accumulator lets a rare word's row move at once.
        optimizer=tf.keras.optimizers.legacy.Adagrad(0.05, initial_accumulator_value=1e-6),
        config=tf.estimator.RunConfig(
            model_dir=model_dir,
            tf_random_seed=seed,
            save_checkpoints_steps=max(1, steps // 3),  # three evaluations in all
            keep_checkpoint_max=1,
        ),
    )


def input_fn(labelled: intents_data.Labelled, training_seed=None):
    """The dataset as train_and_evaluate wants it; with a seed it is shuffled and endless."""

    def dataset() -> tf.data.Dataset:
        sentences, intents = zip(*labelled)
        rows = tf.data.Dataset.from_tensor_slices((list(sentences), list(intents)))
        if training_seed is not None:
            rows = rows.shuffle(len(labelled), seed=training_seed).repeat()
        return rows.batch(BATCH).map(lambda text, intent: (words_and_pairs(text), intent))

    return dataset


def raw_text(labelled: intents_data.Labelled):
    """An input_fn of what a request holds, the raw text: the servable itself makes features of it."""

    def dataset() -> tf.data.Dataset:
        sentences, intents = zip(*labelled)
        rows = tf.data.Dataset.from_tensor_slices(({"text": list(sentences)}, list(intents)))
        return rows.batch(BATCH)

    return dataset


def serving_input_receiver_fn() -> tf.estimator.export.ServingInputReceiver:
    """Requests are serialized tf.Examples with one feature, the raw text."""
    examples = tf.compat.v1.placeholder(tf.string, [None], name="examples")
    parsed = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
    return tf.estimator.export.ServingInputReceiver(
        words_and_pairs(parsed["text"]), {"examples": examples}
    )


class PrintProgress(tf.estimator.Exporter):
    """Exports nothing: an Exporter is what train_and_evaluate tells each evaluation's result."""

    name = "progress"

    def export(self, estimator, export_path, checkpoint_path, eval_result, is_the_final_export):
        print(
            f"  step {eval_result['global_step']:>5}"
            f"   validation accuracy {eval_result['accuracy']:.1%}",
            flush=True,
        )


def train(estimator: tf.estimator.Estimator, splits: intents_data.Splits) -> None:
    best = tf.estimator.BestExporter(
        "best", serving_input_receiver_fn=serving_input_receiver_fn, exports_to_keep=1
    )
    exporter = estimator_slim.OptimizingExporter(  # the one line
        best, verify_input_fn=raw_text(splits.validation)
    )
    tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(input_fn(splits.train, FLAGS.seed), max_steps=FLAGS.train_steps),
        tf.estimator.EvalSpec(
            input_fn(splits.validation),
            steps=None,
            exporters=[PrintProgress(), exporter],
            start_delay_secs=0,
            throttle_secs=0,
        ),
    )


# ---- the program -------------------------------------------------------------------------


def print_demo(original: Servable, slim: Servable) -> None:
    print()
    requests = [to_request(sentence) for sentence in DEMO_SENTENCES]
    answers = zip(DEMO_SENTENCES, original.intents(requests), slim.intents(requests))
    for sentence, first, second in answers:
        both = f"both: {first}" if first == second else f"original: {first}, slim: {second}"
        print(f"  “{sentence}” → {both}")


def versions(folder: str) -> set:
    return {name for name in os.listdir(folder) if name.isdigit()} if os.path.isdir(folder) else set()


def with_presets(original: str, model_dir: str, splits: intents_data.Splits) -> dict:
    """The same original with each preset: preset → its slim servable's path."""
    paths = {}
    for preset in ("lossless", "balanced", "smallest", "auto"):
        paths[preset] = os.path.join(model_dir, "presets", preset, os.path.basename(original))
        estimator_slim.optimize_saved_model(
            original, paths[preset], preset=preset, checkpoint=model_dir,
            verify_input_fn=raw_text(splits.validation))
    return paths


def main(argv) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument: {argv[1]}")
    tf.get_logger().setLevel("ERROR")  # TensorFlow's log; estimator_slim's is absl's, below
    logging.set_verbosity(logging.INFO)
    model_dir = os.path.abspath(FLAGS.model_dir or tempfile.mkdtemp(prefix="intents-"))

    splits = intents_data.load(FLAGS.seed)
    labels = sorted({intent for _, intent in splits.train})
    print(f"{len(labels)} intents; sentences: {len(splits.train):,} to train on, "
          f"{len(splits.validation):,} to validate, {len(splits.test):,} to test")
    print(f"Training {FLAGS.train_steps:,} steps in {model_dir}", flush=True)
    folder = os.path.join(model_dir, "export", "best")
    before = versions(folder)
    train(classifier(model_dir, labels, FLAGS.train_steps, FLAGS.seed), splits)

    made = versions(folder) - before
    if not made:
        sys.exit(f"Nothing was exported: {model_dir} holds a model of as many steps, or a better one,\n"
                 "from an earlier run. Give another --model_dir, or more --train_steps.")
    version = max(made, key=int)
    slim_folder = folder + FLAGS.slim_suffix
    paths = {"original": os.path.join(folder, version), "slim": os.path.join(slim_folder, version)}
    if not os.path.isdir(paths["slim"]):
        sys.exit(f"No slim servable: {paths['slim']} does not exist. The original is\n"
                 f"{paths['original']}; the messages of estimator_slim above say why (or\n"
                 "--noslim_enabled was given).")
    if FLAGS.presets:
        print("\nThe same model with each preset", flush=True)
        paths.update(with_presets(paths["original"], model_dir, splits))
    servables = {name: Servable(path) for name, path in paths.items()}
    compare(servables, splits.test)
    print_demo(servables["original"], servables["slim"])

    print(f"\nOriginal:    {paths['original']}\nSlim:        {paths['slim']}\n"
          f"Report:      {slim_folder}-report/{version}.html, to be opened in a browser\n"
          f"TensorBoard: tensorboard --logdir={model_dir}\n"
          f"To serve:    tensorflow_model_server --model_name=intents --model_base_path={slim_folder}\n"
          "Next:        OptimizingExporter(..., preset=\"auto\") in your own program")


if __name__ == "__main__":
    app.run(main)
