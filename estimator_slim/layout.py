"""Where the originals, the slim servables and the records of an exporter lie.

    layout           original               slim servable       records
    beside           export/best/7          export/best-slim/7  export/best-slim-report/7.json
    beside, root=/r  export/best/7          /r/best-slim/7      /r/best-slim-report/7.json
    replace          export-original/best/7 export/best/7       export-original/best-report/7.json

In `replace` nothing but slim servables is in `export/`: some platforms count what is there, or serve it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from estimator_slim.errors import DestinationError, OptionError
from estimator_slim.paths import Path, as_text

BESIDE, REPLACE = "beside", "replace"


@dataclass(frozen=True)
class Layout:
    """Where one export of an exporter goes.

    Attributes:
      originals: the `export_path` for the wrapped exporter, a folder of versions.
      report: the option: a folder for records, `off`, or None.
      suffix, root: of the slim servables' folder, where they lie beside their originals.
      replaced: the `export_path` that TensorFlow gives, where they take the originals' place.
    """

    originals: str
    report: str | None
    suffix: str = ""
    root: str | None = None
    replaced: str | None = None

    def slim(self, original: str) -> str:
        """Where the slim servable of a version goes."""
        if self.replaced is None:
            return slim_directory(original, self.suffix, self.root)
        return os.path.join(self.replaced, os.path.basename(original))

    def slims(self, originals: str) -> str:
        """The folder of the slim servables of a folder of originals."""
        return os.path.dirname(self.slim(os.path.join(originals, "0")))

    def returned(self, result: Path) -> Path:
        """What `export` returns, where the wrapped exporter returns `result`: its kind of path."""
        if self.replaced is None:
            return result
        slim = self.slim(os.fsdecode(result).rstrip("/"))
        return os.fsencode(slim) if isinstance(result, bytes) else slim

    @property
    def place(self) -> str | None:
        """Where records are kept, as `record_path` takes it."""
        if self.replaced is None or self.report is not None:
            return self.report
        return os.path.dirname(self.originals)


def layout_of(export_path: Path, *, layout: str, suffix: str, root: Path | None,
              report: Path | None) -> Layout:
    """The layout of an export by its options. `export_path`: that TensorFlow gives.

    Raises:
      OptionError: in `replace` it is not as `model_dir/export/best`.
    """
    kept = None if report is None else as_text(report, "report")
    if layout == REPLACE:
        return _replacing(as_text(export_path, "export_path"), kept)
    return Layout(os.fsdecode(export_path), kept, suffix,
                  None if root is None else as_text(root, "root"))


def slim_directory(source: str, suffix: str, root: str | None = None) -> str:
    """Where the slim servable of the version `source` goes, beside it."""
    parent, version = os.path.split(source if "://" in source else os.path.abspath(source))
    base, name = os.path.split(parent)
    return os.path.join(base if root is None else root, name + suffix, version)


def require_outside(original: str, path: str, what: str) -> None:
    """Refuses to write into an original, by whatever links and spellings. `what`: lies at `path`."""
    if f"{os.path.realpath(path)}/".startswith(f"{os.path.realpath(original)}/"):
        raise DestinationError(f"{path} is inside the original {original}, which is never changed; give "
                               f"{what} outside of it")


def _replacing(export_path: str, report: str | None) -> Layout:
    path = export_path if "://" in export_path else os.path.abspath(export_path)
    exports, name = os.path.split(path)
    model_dir, folder = os.path.split(exports)
    if not folder or model_dir.endswith(("/", ":")):
        raise OptionError("layout: with layout=replace the originals go beside the folder of exports; "
                          f"expected an export_path as model_dir/export/best, got {export_path}. "
                          "Give the Estimator a folder as its model_dir, or leave the layout out")
    return Layout(os.path.join(model_dir, f"{folder}-original", name), report, replaced=path)
