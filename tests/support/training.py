"""A tiny text classifier with a vocabulary file, trained in seconds, exported as people do it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.support.ask import session_options

LABELS = ["lights", "music", "weather"]
VOCABULARY = ["turn", "on", "off", "the", "lamp", "play", "a", "song", "will", "it", "rain"]
TEXTS = [["turn", "on", "the", "lamp"], ["play", "a", "song"], ["will", "it", "rain"],
         ["no", "such", "word"], []]
LOSSLESS = "strip_unused_nodes fold_constants merge_duplicate_nodes sort_by_execution_order"
STEPS = 4  # between two checkpoints, and so between two exports


def estimator(model_dir: str) -> Any:
    """A DNNClassifier over the mean of its words' embeddings, [300, 4]."""
    os.makedirs(model_dir, exist_ok=True)
    vocabulary = os.path.join(model_dir, "vocabulary.txt")
    written = Path(f"{vocabulary}.{os.getpid()}")  # another process may be reading it
    written.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    os.replace(written, vocabulary)
    words = tf.feature_column.categorical_column_with_vocabulary_file(
        "words", vocabulary, num_oov_buckets=300 - len(VOCABULARY))
    config = tf.estimator.RunConfig(model_dir, tf_random_seed=1, save_checkpoints_steps=STEPS,
                                    log_step_count_steps=None, save_summary_steps=1000,
                                    session_config=session_options())
    return tf.estimator.DNNClassifier([8], [tf.feature_column.embedding_column(words, 4)],
                                      n_classes=3, label_vocabulary=LABELS, config=config)


def input_fn() -> Any:
    """The first three texts, each with its label, again and again."""
    padded = [text + [""] * (4 - len(text)) for text in TEXTS[:3]]
    return tf.data.Dataset.from_tensors(({"words": padded}, LABELS)).repeat()


def receiver_fn() -> Any:
    """Receives tf.Examples."""
    return tf.estimator.export.build_parsing_serving_input_receiver_fn(
        {"words": tf.io.VarLenFeature(tf.string)})()


def train(model_dir: Path, exporters: Sequence[Any], exports: int = 2) -> Any:
    """Runs train_and_evaluate with `exports` evaluations, at each of which exporters may export."""
    trained = estimator(str(model_dir))
    tf.estimator.train_and_evaluate(
        trained, tf.estimator.TrainSpec(input_fn, max_steps=STEPS * exports),
        tf.estimator.EvalSpec(input_fn, steps=1, exporters=exporters, start_delay_secs=0,
                              throttle_secs=0))
    return trained


def export(directory: Path, **arguments: Any) -> str:
    """Trains one step and exports; returns the folder of the exported version."""
    trained = estimator(str(directory / "model"))
    trained.train(input_fn, steps=1)
    exported = trained.export_saved_model(str(directory / "export"), receiver_fn, **arguments)
    return os.fsdecode(exported)


def requests() -> np.ndarray:
    """TEXTS as serialized tf.Examples, object [5]."""
    return np.array([_example(text) for text in TEXTS], object)


def _example(text: list[str]) -> bytes:
    words = tf.train.BytesList(value=[word.encode() for word in text])
    features = tf.train.Features(feature={"words": tf.train.Feature(bytes_list=words)})
    return tf.train.Example(features=features).SerializeToString()


def contents(directory: Any) -> dict[str, str]:
    """Every file below a folder by its hash, and every folder by the word `folder`."""
    root = Path(os.fsdecode(directory))
    return {str(path.relative_to(root)): "folder" if path.is_dir()
            else hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.rglob("*"))}


def versions(folder: Path) -> list[str]:
    """The names in a folder of exports; none where there is no folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
