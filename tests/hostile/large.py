"""Servables of many nodes, each a family that grows with a number; written without a session.

    python tests/hostile/large.py 100000 relus reshapes     optimizes them and prints seconds and memory
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim import optimize_saved_model
from estimator_slim.graph import attributes

FLOAT, INT = tf.float32, tf.int32


class Writer:
    """A SavedModel in the making: a graph with the input x, float [n, 2]."""

    def __init__(self) -> None:
        self._model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
        self._meta_graph = self._model.meta_graphs.add()
        self._meta_graph.meta_info_def.tags.append("serve")
        self.graph_def = self._meta_graph.graph_def
        self.graph_def.versions.producer = 1645
        self.add("Placeholder", "x", dtype=FLOAT, shape=tf.TensorShape([None, 2]))

    def add(self, op: str, name: str, *inputs: str, **attrs: Any) -> str:
        node = self.graph_def.node.add(op=op, name=name, input=inputs)
        for key, value in attrs.items():
            node.attr[key].CopyFrom(attributes.encode(value))
        return name

    def constant(self, name: str, value: Any) -> str:
        return self.add("Const", name, dtype=tf.as_dtype(value.dtype), value=value)

    def join(self, tensors: list[str]) -> str:
        return self.add("AddN", "joined", *tensors, T=FLOAT, N=len(tensors))

    def save(self, folder: Path, outputs: list[str]) -> str:
        signature = self._meta_graph.signature_def["serving_default"]
        signature.method_name = "tensorflow/serving/predict"
        named = [("x", "x", signature.inputs), *((o, o, signature.outputs) for o in outputs)]
        for key, tensor, infos in named:
            infos[key].name, infos[key].dtype = f"{tensor}:0", FLOAT.as_datatype_enum
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(self._model.SerializeToString())
        return str(folder)


def chain(op: str) -> Callable[[Writer, int], list[str]]:
    def build(writer: Writer, count: int) -> list[str]:
        last = "x"
        for n in range(count):
            last = writer.add(op, f"n{n}", last, T=FLOAT)
        return [last]
    return build


def twins(writer: Writer, count: int) -> list[str]:
    """Each node reads the one before it twice: as many ways as 2 to the power of their number."""
    last = "x"
    for n in range(count):
        last = writer.add("AddV2", f"n{n}", last, last, T=FLOAT)
    return [last]


def outputs(writer: Writer, count: int) -> list[str]:
    """Nodes that have nothing to do with one another."""
    return [writer.add("Relu", f"n{n}", "x", T=FLOAT) for n in range(count)]


def comb(writer: Writer, count: int) -> list[str]:
    """A chain of Identities that others wait for, with many readers at its end."""
    last = "x"
    for n in range(count // 3):
        last = writer.add("Identity", f"n{n}", last, T=FLOAT)
        writer.add("NoOp", f"wait{n}", f"^n{n}")
    return [writer.join([writer.add("Relu", f"reader{n}", last, f"^wait{n}", T=FLOAT)
                         for n in range(count // 3)])]


def reshapes(writer: Writer, count: int) -> list[str]:
    """Reshapes to the shape it has anyway."""
    last, shape = "x", writer.constant("shape", np.array([-1, 2], np.int32))
    for n in range(count):
        last = writer.add("Reshape", f"n{n}", last, shape, T=FLOAT, Tshape=INT)
    return [last]


def layers(writer: Writer, count: int) -> list[str]:
    last = "x"
    for n in range(count // 2):
        kernel = writer.constant(f"kernel{n}", np.eye(2, dtype=np.float32))
        last = writer.add("MatMul", f"n{n}", last, kernel, T=FLOAT, transpose_a=False, transpose_b=False)
    return [last]


def lookups(writer: Writer, count: int) -> list[str]:
    """Many readers of one table."""
    table = writer.constant("table", np.ones((64, 32), np.float32))
    axis = writer.constant("axis", np.int32(0))
    ids = writer.add("Cast", "ids", "x", SrcT=FLOAT, DstT=INT, Truncate=False)
    return [writer.join([writer.add("GatherV2", f"n{n}", table, ids, axis, Tparams=FLOAT, Tindices=INT,
                                    Taxis=INT, batch_dims=0) for n in range(count)])]


def constants(writer: Writer, count: int) -> list[str]:
    """What can be computed ahead."""
    made = [writer.add("Exp", f"n{n}", writer.constant(f"c{n}", np.float32(n)), T=FLOAT)
            for n in range(count // 2)]
    return [writer.add("AddV2", "y", writer.join(made), "x", T=FLOAT)]


def functions(writer: Writer, count: int) -> list[str]:
    """Branches, each with a function of its own that calls the one before it in a branch."""
    last, flag = "x", writer.constant("flag", np.bool_(True))
    for n in range(count // 5):
        function = writer.graph_def.library.function.add()
        function.signature.name = f"f{n}"
        function.signature.input_arg.add(name="i", type=1)
        function.signature.output_arg.add(name="o", type=1)
        function.node_def.add(name="r", op="Relu", input=["i"]).attr["T"].type = 1
        function.ret["o"] = "r:activations:0"
        last = writer.add("StatelessIf", f"n{n}", flag, last, Tcond=tf.bool, Tin=[FLOAT], Tout=[FLOAT])
        for branch in ("then_branch", "else_branch"):
            writer.graph_def.node[-1].attr[branch].func.name = f"f{n}"
    return [last]


FAMILIES: dict[str, Callable[[Writer, int], list[str]]] = {
    "relus": chain("Relu"), "identities": chain("Identity"), "twins": twins, "outputs": outputs,
    "comb": comb, "reshapes": reshapes, "layers": layers, "lookups": lookups, "constants": constants,
    "functions": functions}


def large(folder: Path, family: str, count: int) -> str:
    """A servable of the family with about `count` nodes."""
    writer = Writer()
    return writer.save(folder, FAMILIES[family](writer, count))


def main() -> None:
    count, families = int(sys.argv[1]), sys.argv[2:] or list(FAMILIES)
    for family in families:
        with tempfile.TemporaryDirectory() as folder:
            source = large(Path(folder) / "original" / "1", family, count)
            started, before = time.monotonic(), time.process_time()
            optimize_saved_model(source, Path(folder) / "slim", verify="off")
            print(f"{family}: {count:,} nodes, {time.monotonic() - started:.0f} s, "
                  f"{time.process_time() - before:.0f} s of the processor, up to "
                  f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MB", flush=True)


if __name__ == "__main__":
    main()
