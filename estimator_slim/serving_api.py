"""The messages of TensorFlow Serving that servables are asked by, and recorded in.

The package `tensorflow-serving-api` has them as well, and brings `tensorflow` along, which lands over a
`tensorflow-cpu` that is there. So the few that are needed are described here, by the field numbers of
TensorFlow Serving's own .proto files, and are its messages byte for byte. Fields that are not named here
are kept when a message is read and written again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import tensorflow as tf  # noqa: F401  TensorProto and Example are known once it is loaded
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_PACKAGE = "estimator_slim.serving"
_FILE = "estimator_slim/serving.proto"
_EXAMPLE, _TENSOR = ".tensorflow.Example", ".tensorflow.TensorProto"
_WHOLE_NUMBER = f".{wrappers_pb2.Int64Value.DESCRIPTOR.full_name}"

# Message → field → (number, type[, oneof]); `[type]` is repeated, `{type}` a map from texts.
_MESSAGES: dict[str, dict[str, tuple[Any, ...]]] = {
    "ModelSpec": {"name": (1, "string"), "version": (2, _WHOLE_NUMBER), "signature_name": (3, "string"),
                  "version_label": (4, "string")},
    "ExampleList": {"examples": (1, f"[{_EXAMPLE}]")},
    "ExampleListWithContext": {"examples": (1, f"[{_EXAMPLE}]"), "context": (2, _EXAMPLE)},
    "Input": {"example_list": (1, "ExampleList", "kind"),
              "example_list_with_context": (2, "ExampleListWithContext", "kind")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, f"{{{_TENSOR}}}"),
                       "output_filter": (3, "[string]")},
    "PredictResponse": {"outputs": (1, f"{{{_TENSOR}}}"), "model_spec": (2, "ModelSpec")},
    "ClassificationRequest": {"model_spec": (1, "ModelSpec"), "input": (2, "Input")},
    "RegressionRequest": {"model_spec": (1, "ModelSpec"), "input": (2, "Input")},
    "InferenceTask": {"model_spec": (1, "ModelSpec"), "method_name": (2, "string")},
    "MultiInferenceRequest": {"tasks": (1, "[InferenceTask]"), "input": (2, "Input")},
    "PredictLog": {"request": (1, "PredictRequest"), "response": (2, "PredictResponse")},
    "ClassifyLog": {"request": (1, "ClassificationRequest")},
    "RegressLog": {"request": (1, "RegressionRequest")},
    "MultiInferenceLog": {"request": (1, "MultiInferenceRequest")},
    "SessionRunLog": {},
    "PredictionLog": {"classify_log": (2, "ClassifyLog", "log_type"),
                      "regress_log": (3, "RegressLog", "log_type"),
                      "multi_inference_log": (4, "MultiInferenceLog", "log_type"),
                      "session_run_log": (5, "SessionRunLog", "log_type"),
                      "predict_log": (6, "PredictLog", "log_type")},
}


def message(name: str) -> Any:
    """The class of a message, such as `PredictRequest`; it is used as generated ones are."""
    described = _described().message_types_by_name[name]
    if hasattr(message_factory, "GetMessageClass"):  # since protobuf 4.22
        return message_factory.GetMessageClass(described)
    return message_factory.MessageFactory().GetPrototype(described)


@functools.cache
def _described() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name=_FILE, package=_PACKAGE, syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name, "tensorflow/core/framework/tensor.proto",
                    "tensorflow/core/example/example.proto"],
        message_type=[_message(name, fields) for name, fields in _MESSAGES.items()])
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(_FILE)


def _message(name: str, fields: dict[str, tuple[Any, ...]]) -> descriptor_pb2.DescriptorProto:
    oneofs = sorted({of for _, _, *rest in fields.values() for of in rest})
    described = descriptor_pb2.DescriptorProto(
        name=name, oneof_decl=[descriptor_pb2.OneofDescriptorProto(name=one) for one in oneofs])
    for field, (number, kind, *rest) in fields.items():
        if kind.startswith("{"):
            entry = f"{field.title()}Entry"
            described.nested_type.add(name=entry, field=list(_entry(kind[1:-1])),
                                      options=descriptor_pb2.MessageOptions(map_entry=True))
            kind = f"[.{_PACKAGE}.{name}.{entry}]"
        described.field.append(_field(field, number, kind))
        if rest:
            described.field[-1].oneof_index = oneofs.index(rest[0])
    return described


def _entry(kind: str) -> Iterator[descriptor_pb2.FieldDescriptorProto]:
    yield _field("key", 1, "string")
    yield _field("value", 2, kind)


def _field(name: str, number: int, kind: str) -> descriptor_pb2.FieldDescriptorProto:
    one = descriptor_pb2.FieldDescriptorProto
    label = one.LABEL_REPEATED if kind.startswith("[") else one.LABEL_OPTIONAL
    kind = kind.strip("[]")
    if kind == "string":
        return one(name=name, number=number, label=label, type=one.TYPE_STRING)
    return one(name=name, number=number, label=label, type=one.TYPE_MESSAGE,
               type_name=kind if kind.startswith(".") else f".{_PACKAGE}.{kind}")
