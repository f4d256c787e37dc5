"""Each transform against the Graph Transform Tool of TensorFlow 1.15, over the same frozen graphs.

    python -m tests.old_servables.compare_with_original_tool --python37 tf115/bin/python

Prints which operations are left by theirs and by ours: whether as many of each, or what differs.
make_fixtures.py says how to make the environment for 1.15. A model is named with `+` for each operation
that ours has more of, and `-` for each that the tool's has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
HERE = Path(__file__).parent

from tensorflow.core.framework import graph_pb2  # noqa: E402
from tensorflow.core.protobuf import meta_graph_pb2  # noqa: E402

from estimator_slim import EstimatorSlimError  # noqa: E402
from estimator_slim.freezing.variables import freeze  # noqa: E402
from estimator_slim.graph.graph import Graph  # noqa: E402
from estimator_slim.graph.interface import Interface  # noqa: E402
from estimator_slim.saved_model.reader import Servable  # noqa: E402
from estimator_slim.transforms import TRANSFORMS, transform_list  # noqa: E402
from tests.support.lists import RECIPE  # noqa: E402

MODELS = ("dnn_regressor_batch_norm", "dynamic_rnn_lstm", "layers_for_images", "layers_for_text",
          "linear_classifier_in_parts", "lookups_gather", "quantization_aware", "tables_of_contrib")
NOT_THERE = ("inline_partitionedcall", "rename_node", "simplify_lookups")  # in 1.15
RUNS = {name: [name] for name in TRANSFORMS if name not in NOT_THERE} | {
    "freeze_requantization_ranges": ["quantize_nodes",
                                     "freeze_requantization_ranges(min_max_log_file={log})"],
    "insert_logging": ["insert_logging(op=MatMul, show_name=true)"],
    "quantize_weights": ["quantize_weights(minimum_size=40)"],
    "remove_attribute": ["remove_attribute(attribute_name=transpose_b)"],
    "remove_nodes": ["remove_nodes(op=Identity)"],
    "rename_attribute": ["rename_attribute(old_attribute_name=transpose_b, new_attribute_name=_note)"],
    "rename_op": ["rename_op(old_op_name=Relu, new_op_name=Elu)"],
    "set_device": ['set_device(device="/device:CPU:0")'],
    "the published recipe": RECIPE.split(),
}


def run_theirs(model: str, python37: str, work: Path) -> None:
    """Fills `work` as original_tool.py says; a run that ends the process is a refusal."""
    with zipfile.ZipFile(HERE / "exports" / f"{model}.zip") as archive:
        archive.extractall(work / "source")
    left = dict(RUNS)
    while left:
        job = {"source": str(work / "source"), "work": str(work), "runs": left}
        done = subprocess.run([python37, HERE / "original_tool.py"], input=json.dumps(job), text=True,
                              capture_output=True, check=False)
        if not (work / "frozen.pb").exists():
            raise SystemExit(f"{model} could not be frozen:\n{done.stderr[-2000:]}")
        left = {name: texts for name, texts in left.items()
                if not any((work / f"{name}.{end}").exists() for end in ("pb", "error"))}
        if left:
            (work / f"{next(iter(left))}.error").write_text(f"ends the process: {_last(done.stderr)}")
            left.pop(next(iter(left)))


def _last(log: str) -> str:
    """The last line of C++ in a log, which says why it stopped."""
    return next((line for line in reversed(log.splitlines()) if ".cc:" in line), "")


def run_ours(work: Path, texts: list[str]) -> Counter | str:
    """Operations left by our transforms, or why they refused."""
    try:
        graph = _frozen(work)
        for text in texts:
            log = work / "ours.log"
            log.write_text("".join(f";{n.name}__print__;__requant_min_max:[-16][16]\n"
                                   for n in graph.nodes.values() if n.op == "RequantizationRange"))
            for one in transform_list(text.format(log=log)):
                graph, _ = one.apply(graph)
    except EstimatorSlimError as error:
        return str(error)
    return Counter(node.op for node in graph.nodes.values())


def _frozen(work: Path) -> Graph:
    """The graph that theirs froze, as our first transform gets it."""
    graph_def = graph_pb2.GraphDef.FromString((work / "frozen.pb").read_bytes())
    interface = json.loads((work / "interface.json").read_text())
    signature = meta_graph_pb2.SignatureDef()
    for tensors, kind in ((signature.inputs, "inputs"), (signature.outputs, "outputs")):
        for name in interface[kind]:
            tensors[name].name = f"{name}:0"
    graph = Graph({node.name: node for node in graph_def.node},
                  Interface({"serving_default": signature}),
                  library=graph_def.library, versions=graph_def.versions)
    servable = Servable(str(work), meta_graph_pb2.MetaGraphDef(), graph, checkpoint=None)
    return freeze(servable)


def their_result(work: Path, name: str) -> Counter | str:
    """Operations left by the tool, or why it refused."""
    refused = work / f"{name}.error"
    if refused.exists():
        return refused.read_text()
    graph_def = graph_pb2.GraphDef.FromString((work / f"{name}.pb").read_bytes())
    return Counter(node.op for node in graph_def.node)


def difference(theirs: Counter | str, ours: Counter | str) -> str:
    """What ours has more of (+) and less of (-); or who refused; nothing where they are alike."""
    if isinstance(theirs, str) or isinstance(ours, str):
        both = isinstance(theirs, str) and isinstance(ours, str)
        who, text = ("both refuse", ours) if both else (
            ("theirs refuses", theirs) if isinstance(theirs, str) else ("ours refuses", ours))
        return f"{who}: {' '.join(str(text).split())[:150]}"
    more = [f"+{count} {op}" for op, count in sorted((ours - theirs).items())]
    return ", ".join(more + [f"-{count} {op}" for op, count in sorted((theirs - ours).items())])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python37", required=True, help="interpreter that has TensorFlow 1.15")
    parser.add_argument("models", nargs="*", default=MODELS)
    arguments = parser.parse_args()
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            work = Path(folder, model)
            work.mkdir()
            run_theirs(model, arguments.python37, work)
            for name, texts in RUNS.items():
                found[name][difference(their_result(work, name), run_ours(work, texts))].append(model)
    for name in RUNS:
        print(f"{name}: {len(found[name][''])} of {len(arguments.models)} alike")
        for text, models in found[name].items():
            if text:
                print(f"  {', '.join(models)}: {text}")


if __name__ == "__main__":
    main()
