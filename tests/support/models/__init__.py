"""A zoo of small real Estimators of every kind: `MODELS[name].build(directory)` exports one."""

from __future__ import annotations

from tests.support.models import (  # noqa: F401
    canned_dnn,
    canned_linear,
    columns,
    custom,
    exports,
    heads,
    networks,
    saved_by_v2,
    text,
    weights,
)
from tests.support.models.zoo import MODELS, Model, Request

__all__ = ["MODELS", "Model", "Request"]
