"""estimator-slim inspect: what is in a servable, where its bytes are, what presets would make of it."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from estimator_slim.choosing import resolve
from estimator_slim.cli import exit_codes
from estimator_slim.cli.parsing import add_json, add_tags, require_servable_on_disk
from estimator_slim.cli.tables import bar, byte_text, columns
from estimator_slim.libraries import import_libraries
from estimator_slim.options import FUNCTION, OFF
from estimator_slim.paths import as_text
from estimator_slim.whereabouts import is_model_dir, is_servable, latest_in

if TYPE_CHECKING:
    from estimator_slim.graph import Graph, Weight
    from estimator_slim.saved_model import Servable
    from estimator_slim.work import Work

TAKES = "DIR"
HELP = "Shows what a servable is made of, and what each preset would make of it."
OPTIONS = ("imports",)
_ROWS = 1 << 16  # looked at together
_MOST_OPERATIONS = 12  # shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Says to `parser` what stands behind the command."""
    parser.add_argument("directory", metavar="DIR", help="folder of one exported version, or of "
                        "versions, or a model_dir: of these the latest version")
    parser.add_argument("--checkpoint", help="the training checkpoint, or its model_dir: it tells "
                        "which rows were trained (default: where DIR is or is in a model_dir, that one)")
    parser.add_argument("--most", type=int, default=10, metavar="N", help="how many weights to show "
                        "(default: 10)")
    add_tags(parser)
    add_json(parser)
    parser.set_defaults(check=lambda given: require_servable_on_disk(_version_in(given.directory)))


def run(arguments: argparse.Namespace) -> int:
    """Prints what is known of the servable; returns the exit code."""
    import_libraries(resolve(FUNCTION).imports)
    directory = _version_in(arguments.directory)
    checkpoint = arguments.checkpoint or _model_dir_of(directory)
    found = _seen(directory, checkpoint, arguments.tags, arguments.most)
    found["given"] = as_text(arguments.directory, "DIR")
    print(json.dumps(found, indent=1) if arguments.json else _told(found))
    return exit_codes.DONE


def _version_in(text: str) -> str:
    """The folder itself, or the latest version in it: the one with the highest number."""
    path = as_text(text, "DIR")
    found = [] if is_servable(path) else latest_in(path)
    return max(found, key=lambda one: int(os.path.basename(one))) if found else path


def _model_dir_of(directory: str) -> str | None:
    """`model_dir` of `model_dir/export/best/1700000000`, where checkpoints are in it."""
    if "://" in directory:
        return None
    found = os.path.normpath(os.path.join(os.path.abspath(directory), "../../.."))
    return found if is_model_dir(found) else None


def _seen(directory: str, checkpoint: str | None, tags: list[str], most: int) -> dict[str, Any]:
    """All that is told, as plain data."""
    from estimator_slim.report import Report
    from estimator_slim.saved_model import read_servable
    from estimator_slim.transforms import transform_list
    from estimator_slim.work import Work
    options = resolve(FUNCTION, {"checkpoint": checkpoint, "verify": OFF})
    servable = read_servable(directory, tags)
    work = Work(servable, options, tuple(tags), directory, [], Report(directory, directory))
    graph = work.frozen(transform_list("drop_untrained_rows"))
    definition, info = servable.meta_graph.graph_def, servable.meta_graph.meta_info_def
    operations = Counter(node.op for node in definition.node)
    return {"directory": directory, "is_slim": servable.is_slim, "checkpoint": options.checkpoint,
            "tensorflow": info.tensorflow_version, "tags": sorted(info.tags), "bytes": work.byte_count,
            "signatures": _signatures(servable), "assets": _assets(servable),
            "tables": sum(n for op, n in operations.items() if "HashTable" in op),
            "nodes": len(definition.node), "functions": len(definition.library.function),
            "operations": dict(operations.most_common()), "weights": _weights(graph, most),
            "weight_count": len(graph.weights), "estimate": _estimate(work)}


def _signatures(servable: Servable) -> dict[str, Any]:
    import tensorflow as tf

    def described(infos: Any) -> dict[str, str]:
        return {key: f"{tf.as_dtype(one.dtype).name} {tf.TensorShape(one.tensor_shape)}"
                for key, one in sorted(infos.items())}
    return {key: {"method": one.method_name, "inputs": described(one.inputs),
                  "outputs": described(one.outputs)}
            for key, one in sorted(servable.graph.interface.served().items())}


def _assets(servable: Servable) -> dict[str, int]:
    import tensorflow as tf
    names = sorted({one.filename for one in servable.graph.interface.assets})
    return {name: tf.io.gfile.stat(os.path.join(servable.directory, "assets", name)).length
            for name in names}


def _weights(graph: Graph, most: int) -> list[dict[str, Any]]:
    found = sorted(graph.weights.items(), key=lambda one: -one[1].byte_count)
    every = sum(weight.byte_count for _, weight in found) or 1
    return [{"name": weight.origin or name, "dtype": weight.dtype.name, "shape": list(weight.shape),
             "bytes": weight.byte_count, "share": weight.byte_count / every, **_trained(weight)}
            for name, weight in found[:most]]


def _trained(weight: Weight) -> dict[str, Any]:
    """How many rows training touched, or why that is not known; nothing where nobody looked."""
    if weight.training is None:
        return {}
    if weight.training.unknown:
        return {"trained_unknown": weight.training.unknown}
    rows = weight.shape[0]
    return {"trained_rows": sum(int(weight.training.trained(start, min(start + _ROWS, rows)).sum())
                                for start in range(0, rows, _ROWS))}


def _estimate(work: Work) -> dict[str, int]:
    from estimator_slim.estimating import estimated
    return {} if work.servable.is_slim else dict(estimated(work).byte_counts)


# ---- as text


def _told(found: dict[str, Any]) -> str:
    chosen = "" if found["directory"] == found["given"] else f" (the latest in {found['given']})"
    kind = "slim servable" if found["is_slim"] else "servable"
    head = [f"{found['directory']}{chosen}",
            f"{kind} of TensorFlow {found['tensorflow'] or 'unknown'}, tagged "
            f"{','.join(found['tags']) or '(nothing)'}: {byte_text(found['bytes'])}, {found['nodes']} "
            f"nodes, {found['functions']} functions, tables of ids: {found['tables']}"]
    parts = [head, _signature_lines(found), _weight_lines(found), _operation_lines(found)]
    if found["assets"]:
        parts.insert(2, ["assets", *columns([["", name, byte_text(count)]
                                             for name, count in found["assets"].items()])])
    if found["estimate"]:
        parts.append(_estimate_lines(found))
    return "\n\n".join("\n".join(lines) for lines in parts)


def _signature_lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for key, one in found["signatures"].items():
        lines.append(f"signature {key} ({one['method']})")
        lines += columns([["", "takes", *both] for both in one["inputs"].items()]
                         + [["", "answers", *both] for both in one["outputs"].items()])
    return lines


def _weight_lines(found: dict[str, Any]) -> list[str]:
    shown, count = found["weights"], found["weight_count"]
    more = f", the largest of {count}" if count > len(shown) else ""
    return [f"weights{more}", *columns([["", f"{100 * one['share']:5.1f} %", bar(one["share"]),
                                         byte_text(one["bytes"]), one["name"],
                                         f"{one['dtype']} {one['shape']}", _rows_text(one)]
                                        for one in shown])]


def _rows_text(one: dict[str, Any]) -> str:
    if "trained_rows" in one:
        return f"{one['trained_rows']:,} of {one['shape'][0]:,} rows trained"
    return f"trained rows unknown: {one['trained_unknown']}" if "trained_unknown" in one else ""


def _operation_lines(found: dict[str, Any]) -> list[str]:
    every = list(found["operations"].items())
    shown = ", ".join(f"{count} {op}" for op, count in every[:_MOST_OPERATIONS])
    return [f"operations: {shown}" + (f", and {len(every) - _MOST_OPERATIONS} others"
                                      if len(every) > _MOST_OPERATIONS else "")]


def _estimate_lines(found: dict[str, Any]) -> list[str]:
    without = "" if found["checkpoint"] else "; with the training checkpoint it may be less"
    return [f"about how large it would be{without}",
            *columns([["", name, byte_text(count), f"1/{found['bytes'] / max(1, count):.3g}",
                       bar(count / found["bytes"])] for name, count in found["estimate"].items()])]
