"""What people would try in our place, on a servable of a tenth of the size.

The published recipe (freeze, Graph Transform Tool with quantize_weights, back to a SavedModel),
TensorFlow's own quantizer (weights alone), and TFLite with its default optimizations, each in a process
of its own.
TFLite's result is no SavedModel: it is asked by its interpreter, beside the original in Python.

fastText is another model, trained on the same sentences: the yardstick of small text models. It is tried
where its package is (`pip install fasttext-wheel`), with the sentences of `data/` beside the tools.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from markdown_table import show
from optimize_once import peak_bytes
from serving import measured
from slims import optimized, original, size
from smaller import LISTS

from estimator_slim.presets import DEFAULT

BUCKETS = 100_000
RECIPE = ["remove_nodes(op=Identity)", "merge_duplicate_nodes", "strip_unused_nodes",
          "fold_constants(ignore_errors=true)", "fold_batch_norms", "quantize_weights"]
WAYS = {"published recipe": "recipe", "TensorFlow's quantizer": "tensorflow_quantizer"}
FASTTEXT = {"fastText, quantized": {}, "and 20,000 entries": {"cutoff": 20_000},
            "and 10,000 entries": {"cutoff": 10_000}}


def run(options: argparse.Namespace) -> None:
    servable = _servable(options)
    source, work = original(servable), os.path.join(options.work, "alternatives")
    made, lines = {"original": source}, []
    for name, transforms in ("default list", DEFAULT), ("smallest", LISTS["fewer directions"]):
        made[name] = os.path.join(work, name.replace(" ", "-"), "1")
        checkpoint = os.path.join(servable, "model") if name == "smallest" else ""
        lines.append(_line(name, source, made[name],
                           optimized(source, made[name], transforms, checkpoint)))
    for name, way in WAYS.items():
        made[name] = os.path.join(work, way, "1")
        lines.append(_line(name, source, made[name], _apart(way, source, made[name])))
    lite = os.path.join(work, "tflite")
    lines.append(_line("TFLite", source, lite, _apart("tflite", source, lite)))
    show("Alternatives: making them", ["", "original / it", "seconds", "peak memory / original"], lines)

    examples, labels = (os.path.join(servable, name) for name in ("test.tfrecord", "test_labels.json"))
    rows = measured(options, examples, made, "--labels", labels)
    kept = ("p50_us@1", "p50_us@64", "resident_MB", "load_ms")
    table = [[name, *(row[key] / rows["original"][key] for key in kept), row["top1_agreement"],
              row["accuracy"]] for name, row in rows.items()]
    asked = _apart("ask_tflite", source, lite, examples, labels)
    table.append(["TFLite, by its interpreter", asked["time"], None, None, None, asked["agreement"],
                  asked["accuracy"]])
    show("Alternatives: serving, as ratios to the original",
         ["", "p50 at batch 1", "p50 at batch 64", "resident memory", "load", "agreement", "accuracy"],
         table)
    _fasttext(options)


def _servable(options: argparse.Namespace) -> str:
    folder = os.path.join(options.work, "alternatives-servable")
    if not os.path.exists(folder):
        subprocess.run([sys.executable, os.path.join(options.tools, "make_servable.py"), folder,
                        "--buckets", str(BUCKETS)], check=True, stdout=sys.stderr)
    return folder


def _line(name: str, source: str, made: str, took: dict[str, float]) -> list[Any]:
    return [name, size(source) / size(made), took["seconds"], took["peak_bytes"] / size(source)]


def _apart(way: str, *arguments: str) -> dict[str, float]:
    """What a function of this file gives in a process of its own."""
    process = subprocess.run([sys.executable, __file__, way, *arguments], capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{way} failed:\n{process.stderr[-4000:]}")
    return json.loads(process.stdout.splitlines()[-1])


# ---- in a process of their own


def recipe(source: str, destination: str) -> None:
    import tensorflow as tf
    from tensorflow.python.util import _pywrap_transform_graph as tool

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], source).signature_def["predict"]
        inputs = {key: info.name for key, info in signature.inputs.items()}
        outputs = {"probabilities": signature.outputs["probabilities"].name}  # others need lost tables
        nodes = [name.split(":")[0] for name in outputs.values()]
        frozen = v1.graph_util.convert_variables_to_constants(session, session.graph_def, nodes)
    transformed = tf.compat.v1.GraphDef.FromString(tool.TransformGraphWithStringInputs(
        frozen.SerializeToString(), ",".join(inputs.values()), ",".join(nodes), " ".join(RECIPE)))
    with tf.Graph().as_default() as graph, v1.Session() as session:
        tf.import_graph_def(transformed, name="")
        tensors = [{key: graph.get_tensor_by_name(name) for key, name in names.items()}
                   for names in (inputs, outputs)]
        builder = v1.saved_model.builder.SavedModelBuilder(destination)
        builder.add_meta_graph_and_variables(session, ["serve"], {
            "predict": v1.saved_model.predict_signature_def(*tensors)})
        builder.save()


def tensorflow_quantizer(source: str, destination: str) -> None:
    import tensorflow as tf

    quantization = tf.quantization.experimental
    method = quantization.QuantizationMethod(
        preset_method=quantization.QuantizationMethod.METHOD_STATIC_RANGE_WEIGHT_ONLY_INT8)
    quantization.quantize_saved_model(source, destination, quantization.QuantizationOptions(
        quantization_method=method, tags={"serve"}, signature_keys=["predict"]))


def tflite(source: str, destination: str) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(source, signature_keys=["predict"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    os.makedirs(destination)
    with open(os.path.join(destination, "model.tflite"), "wb") as file:
        file.write(converter.convert())


def ask_tflite(source: str, lite: str, examples: str, labels: str) -> dict[str, float]:
    """One example after another, of both in turn; `time` is the ratio of the medians."""
    import numpy as np
    import tensorflow as tf

    rows = [record.numpy() for record in tf.data.TFRecordDataset(examples)]
    with open(labels) as file:
        expected = json.load(file)
    interpreter = tf.lite.Interpreter(os.path.join(lite, "model.tflite"))
    predict = interpreter.get_signature_runner("predict")
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        signature = tf.compat.v1.saved_model.load(session, ["serve"], source).signature_def["predict"]
    asked = session.make_callable(signature.outputs["probabilities"].name,
                                  [signature.inputs["examples"].name])
    times: list[list[float]] = [[], []]
    answers: list[list[int]] = [[], []]
    for row in rows:
        given = np.array([row], object)
        for number, ask in enumerate((asked, lambda one: predict(examples=one)["probabilities"])):
            started = time.perf_counter()
            scores = ask(given)
            times[number].append(time.perf_counter() - started)
            answers[number].append(int(np.argmax(scores)))
    names = sorted(set(expected))
    right = [names[answer] == label for answer, label in zip(answers[1], expected)]
    return {"time": statistics.median(times[1]) / statistics.median(times[0]),
            "agreement": float(np.mean(np.equal(*answers))), "accuracy": float(np.mean(right))}


# ---- fastText


def _fasttext(options: argparse.Namespace) -> None:
    data = os.path.join(options.tools, "..", "data", "clinc150.json.xz")
    try:
        import fasttext
    except ImportError:
        print("fastText is not tried: pip install fasttext-wheel")
        return
    if not os.path.exists(data):
        print(f"fastText is not tried: there is no {data}")
        return
    with lzma.open(data) as file:
        sentences = json.load(file)
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        train, test, path = (os.path.join(folder, name) for name in ("train", "test", "model"))
        _write(train, sentences["train"] + sentences["val"])
        _write(test, sentences["test"])

        def model() -> Any:
            return fasttext.train_supervised(train, dim=256, bucket=1_000_000, wordNgrams=2, epoch=25,
                                             lr=0.5, thread=os.cpu_count(), verbose=0)
        whole = model()
        whole.save_model(path)
        before, lines = os.path.getsize(path), []
        lines.append(["fastText", before / 1e6, 1.0, whole.test(test)[1]])
        for name, how in FASTTEXT.items():
            small = fasttext.load_model(path)
            small.quantize(input=train, retrain=bool(how), verbose=0, **how)
            small.save_model(path + ".ftz")
            after = os.path.getsize(path + ".ftz")
            lines.append([name, after / 1e6, before / after, small.test(test)[1]])
    show("fastText on the same sentences", ["", "MB", "original / it", "accuracy"], lines)


def _write(path: str, rows: list[tuple[str, str]]) -> None:
    with open(path, "w") as file:
        for text, label in rows:
            file.write(f"__label__{label} {' '.join(re.findall(r'[a-z0-9]+', text.lower()))}\n")


def main() -> None:
    """A function of this file, as `_apart` starts it."""
    import tensorflow as tf  # noqa: F401  its memory is part of what is subtracted

    way, *arguments = sys.argv[1:]
    ways: dict[str, Callable[..., Any]] = {one.__name__: one for one in (recipe, tensorflow_quantizer,
                                                                         tflite, ask_tflite)}
    if way != "ask_tflite":
        shutil.rmtree(arguments[1], ignore_errors=True)
    before, started = peak_bytes(), time.monotonic()
    found = ways[way](*arguments) or {}
    print(json.dumps({"seconds": time.monotonic() - started, "peak_bytes": peak_bytes() - before,
                      **found}))


if __name__ == "__main__":
    main()
