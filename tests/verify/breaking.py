"""Slim servables broken on purpose, one way each, to see whether verification notices.

`trials(...)` breaks the slim servables of a few models of the zoo in every way that fits each of them,
asks all of them in one process and says what verification found.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf import saved_model_pb2

from estimator_slim import Verification, optimize_saved_model
from estimator_slim.errors import SourceError
from estimator_slim.graph import names
from estimator_slim.options import DEFAULT
from estimator_slim.saved_model import copy_assets, read_servable, write_servable
from estimator_slim.transforms import allowed_by, fuse_lookups, place_weights, transform_list
from estimator_slim.verify.answers.asking import Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.comparison.judging import compare, fixed_outputs
from estimator_slim.verify.questions.sources import questions_for

EIGHT_BITS = DEFAULT.replace("quantize_weights", "quantize_weights(minimum_size=1)")
MODELS = ("vocabulary_file_v1_default_value", "raw_text_tables_from_files",
          "vocabulary_file_oov_labels", "multi_head")
WHOLE = "the unbroken twin"

Outputs = set  # of (signature, output), or of (signature, "") for all of it


class DoesNotFit(Exception):
    """The model has nothing that could be broken so."""


@dataclass(frozen=True)
class Trial:
    """One slim servable, broken one way.

    Attributes:
      model: in the zoo.
      kind: how it is broken.
      affected: (signature, output) of what may answer otherwise.
      found: by verification.
    """

    model: str
    kind: str
    affected: Outputs
    found: Verification

    @property
    def caught(self) -> bool:
        return not self.found.passed

    @property
    def named(self) -> bool:
        """True if every failure names an output that the break reaches, or its signature."""
        signatures = {signature for signature, _ in self.affected}
        return all((f.signature, f.output) in self.affected
                   or (f.signature in signatures and f.output == "") for f in self.found.failures)


class Servable:
    """The files of a servable, open to be edited; constants in the graph are all its weights."""

    def __init__(self, directory: Path) -> None:
        self.path, self.assets = directory / "saved_model.pb", directory / "assets"
        self.saved_model = saved_model_pb2.SavedModel.FromString(self.path.read_bytes())
        self.meta_graph = self.saved_model.meta_graphs[0]
        self.graph = self.meta_graph.graph_def
        self.nodes = {node.name: node for node in self.graph.node}

    def save(self) -> None:
        self.path.write_bytes(self.saved_model.SerializeToString())

    def of(self, *ops: str) -> list[NodeDef]:
        """The nodes of these operations, at least one, in the order in which they run."""
        found = [node for node in self.graph.node if node.op in ops]
        if not found:
            raise DoesNotFit
        return found

    def constant(self, node: NodeDef, number: int) -> NodeDef:
        """The Const that an input of a node is."""
        found = self.nodes[names.node_of(node.input[number])]
        if found.op != "Const":
            raise DoesNotFit
        return found

    def edit(self, constant: NodeDef, change: Callable[[np.ndarray], Any]) -> set[str]:
        """Changes a Const's value; returns the names of the nodes that changed."""
        value = value_of(constant).copy()
        changed = change(value)
        value = value if changed is None else changed
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, constant.attr["dtype"].type))
        return {constant.name}

    def add(self, op: str, name: str, inputs: list[str], **attributes: Any) -> str:
        node = self.graph.node.add(op=op, name=f"broken/{name}", input=inputs)
        for key, value in attributes.items():
            node.attr[key].type = value
        self.nodes[node.name] = node
        return node.name

    def number(self, name: str, value: Any, dtype: Any) -> str:
        made = self.add("Const", name, [], dtype=dtype.as_datatype_enum)
        self.nodes[made].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
        return made

    def behind(self, tensor: str, op: str, *more: str, **attributes: Any) -> set[str]:
        """Puts an operation behind a tensor: whoever read the tensor, signatures too, reads it."""
        readers = [node for node in self.graph.node if node.op != "Shape"]
        made = self.add(op, f"{op}{len(self.nodes)}", [tensor, *more], **attributes)
        for node in readers:
            node.input[:] = [made if names.canonical(i) == tensor else i for i in node.input]
        for signature in self.meta_graph.signature_def.values():
            for info in signature.outputs.values():
                if names.canonical(info.name) == tensor:
                    info.name = made + ":0"
        return {made}

    def output(self, *kinds: str) -> str:
        """The tensor behind the first output of this name, whatever its head."""
        for signature in self.meta_graph.signature_def.values():
            for key, info in sorted(signature.outputs.items()):
                if key.rpartition("/")[2] in kinds:
                    return names.canonical(info.name)
        raise DoesNotFit

    def reached(self, changed: set[str]) -> Outputs:
        """(signature, output) of every output that depends on one of these nodes."""
        return {(key, output) for key, signature in self.meta_graph.signature_def.items()
                for output, info in signature.outputs.items()
                if changed & set(self.ancestors(names.node_of(info.name)))}

    def ancestors(self, name: str) -> Iterator[str]:
        todo, seen = [name], set()
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += [names.node_of(i) for i in self.nodes[name].input]
                yield name


def value_of(constant: NodeDef) -> np.ndarray:
    """A Const's value; strings too, as the engine packs them."""
    proto = constant.attr["value"].tensor
    value = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype)).numpy()
    return np.asarray(value, object if proto.dtype == tf.string.as_datatype_enum else None)


def trials(exported: Callable[[str], str], folder: Path, transforms: str = EIGHT_BITS, *,
           in_files: bool = False) -> list[Trial]:
    """Every fitting break of every model's slim servable, and the unbroken ones.

    Args:
      exported: the directory of a model of the zoo.
      folder: for the slim servables.
      transforms: that made them.
      in_files: they have their weights in `variables/`, and are asked with all tables left there.
    """
    from tests.verify.breaks import BREAKS

    plans = []
    for model in MODELS:
        whole = folder / model / "whole"
        optimize_saved_model(exported(model), whole, transforms, weights="constants", verify="off")
        plans.append((model, WHOLE, set(), str(whole)))
        for kind, broken in BREAKS.items():
            directory = folder / model / kind.replace(" ", "_")
            shutil.copytree(whole, directory)
            servable = Servable(directory)
            try:
                plans.append((model, kind, broken(servable), str(directory)))
            except DoesNotFit:
                continue
            servable.save()
    if in_files:
        plans = [(*plan, _with_variables(directory)) for *plan, directory in plans]
    return list(_tried(exported, plans, transforms, 1 if in_files else None))


def _with_variables(directory: str) -> str:
    """The same servable with its constants in `variables/`; of one that cannot be read, it itself."""
    try:
        servable, target = read_servable(directory), f"{directory}-variables"
    except SourceError:
        return directory
    os.makedirs(target)
    write_servable(fuse_lookups(place_weights(servable.graph, "variables")), servable, target)
    copy_assets(directory, target, [one.filename for one in servable.graph.interface.assets])
    return target


def _tried(exported: Callable[[str], str], plans: list, transforms: str,
           in_files: int | None) -> Iterator[Trial]:
    originals = {model: read_servable(exported(model)) for model in MODELS}
    requests = {model: questions_for(servable) for model, servable in originals.items()}
    places = [(model, exported(model)) for model in MODELS] + [(plan[0], plan[-1]) for plan in plans]
    jobs = [Job(directory, requests[model], grappler=False, in_files=in_files)
            for model, directory in places]
    heard = ask(jobs, seconds=600)
    answers = dict(zip(MODELS, heard))
    for (model, kind, affected, _), slim in zip(plans, heard[len(MODELS):]):
        found = compare(requests[model], answers[model], slim, allowed_by(transform_list(transforms)),
                        fixed=fixed_outputs(originals[model].graph))
        yield Trial(model, kind, affected, found)


def asset(servable: Servable, *endings: str) -> Path:
    """An asset file whose name ends so."""
    for name in sorted(os.listdir(servable.assets)) if servable.assets.exists() else []:
        if name.endswith(endings):
            return servable.assets / name
    raise DoesNotFit
