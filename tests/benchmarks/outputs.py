#!/usr/bin/env python3
"""Whether two versions of estimator_slim write the same servables and say the same.

    python tests/benchmarks/outputs.py exports DIR               # the test models' exports, made once
    PYTHONPATH=OLD python tests/benchmarks/outputs.py record DIR old.json
    PYTHONPATH=NEW python tests/benchmarks/outputs.py record DIR new.json
    python tests/benchmarks/outputs.py compare old.json new.json # exit code 1 where they differ

`record` optimizes every servable below DIR with every list and notes, for each, the SHA-256 of every
file that came of it, the steps and what was left alone, or the error. Further servables can be put into
DIR as `NAME/VERSION`.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
from typing import Any

_EXACT = "strip_unused_nodes remove_nodes(op=Identity) fold_constants"
_DEFAULT = (f"{_EXACT} fold_batch_norms simplify_lookups merge_duplicate_nodes quantize_weights "
            "sort_by_execution_order")
LISTS = {
    "empty": "",
    "lossless": f"{_EXACT} merge_duplicate_nodes sort_by_execution_order",
    "recipe": ("remove_nodes(op=Identity) merge_duplicate_nodes strip_unused_nodes "
               "fold_constants(ignore_errors=true) fold_batch_norms"),
    "default": _DEFAULT,
    "4 bits": _DEFAULT.replace("quantize_weights", "quantize_weights(bits=4)"),
    "16 bits": _DEFAULT.replace("quantize_weights", "quantize_weights(bits=16)"),
    "one scale": "quantize_weights(granularity=table, minimum_size=16)",
    "quantize_nodes": "quantize_nodes quantize_weights",
    "others": ("sparsify_gather backport_concatv2 remove_control_dependencies remove_device "
               "obfuscate_names add_default_attributes"),
}


def exports(directory: str) -> None:
    """Builds every test model below `directory`."""
    sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))  # this file is run by its path
    from tests.support.models import MODELS

    for name, model in MODELS.items():
        with tempfile.TemporaryDirectory() as folder:
            made = os.fsdecode(model.build(folder))
            shutil.copytree(made, os.path.join(directory, name, "1"))


def record(directory: str, path: str) -> None:
    """Optimizes everything below `directory`; writes what came of it to the file at `path`."""
    found = {}
    for name in sorted(os.listdir(directory)):
        for version in sorted(os.listdir(os.path.join(directory, name))):
            for label, transforms in LISTS.items():
                found[f"{name}/{version} {label}"] = _outcome(os.path.join(directory, name, version),
                                                              transforms)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(found, file, indent=1, sort_keys=True)


def _outcome(source: str, transforms: str) -> dict[str, Any]:
    from estimator_slim import EstimatorSlimError, optimize_saved_model

    with tempfile.TemporaryDirectory() as folder:
        slim = os.path.join(folder, "slim")
        try:
            report = optimize_saved_model(source, slim, transforms, verify="off")
        except EstimatorSlimError as e:
            return {"error": f"{type(e).__name__}: {e}".replace(folder, "").replace(source, "")}
        return {"files": _checksums(slim), "nodes": [report.nodes_before, report.nodes_after],
                "bytes": [report.bytes_before, report.bytes_after],
                "steps": [[s.transform, s.nodes_before, s.nodes_after, [list(one) for one in s.skipped]]
                          for s in report.steps]}


def _checksums(directory: str) -> dict[str, str]:
    found = {}
    for folder, _, files in os.walk(directory):
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = hashlib.sha256(file.read()).hexdigest()
    return found


def compare(old: str, new: str) -> int:
    """Prints what differs; the number of differences."""
    before, after = (json.loads(pathlib.Path(path).read_text(encoding="utf-8")) for path in (old, new))
    differing = sorted(key for key in {*before, *after} if before.get(key) != after.get(key))
    for key in differing:
        was, now = before.get(key, {}), after.get(key, {})
        parts = sorted(part for part in {*was, *now} if was.get(part) != now.get(part))
        print(f"{key}: {', '.join(parts) or 'missing'}")
    print(f"{len(before)} outcomes, {len(after)} after: {len(differing)} differ")
    return len(differing)


def main() -> int:
    command, *rest = sys.argv[1:] or ["help"]
    if command == "exports" and len(rest) == 1:
        exports(*rest)
    elif command == "record" and len(rest) == 2:
        record(*rest)
    elif command == "compare" and len(rest) == 2:
        return int(compare(*rest) > 0)
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
