"""Makes up for all slim twins that are missing in a model_dir, while no exporter of it does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import tensorflow as tf

from estimator_slim.errors import OptionError
from estimator_slim.exporter.held_checkpoint import held
from estimator_slim.exporter.writing import write_twin
from estimator_slim.layout import BESIDE, REPLACE, Layout, layout_of
from estimator_slim.options import Options
from estimator_slim.twins import (
    Lacking,
    checkpoint_of,
    lacking,
    names_in,
    newest_lacks_its_twin,
    versions_in,
)


@dataclass(frozen=True)
class Export:
    """What one exporter of a model_dir has exported.

    Attributes:
      name: of the exporter.
      model_dir: the Estimator's.
      layout: where its originals, slim servables and records lie.
      options: with which they are slimmed.
    """

    name: str
    model_dir: str
    layout: Layout
    options: Options

    @property
    def slims(self) -> str:
        """The folder of its slim servables."""
        return self.layout.slims(self.layout.originals)

    def lacking(self) -> Iterator[Lacking]:
        """Its versions without a slim twin, the newest first."""
        options = replace(self.options, report=self.layout.place)
        return lacking(self.layout.originals, self.slims, options, {})

    def make_up(self, one: Lacking) -> None:
        """Writes the slim twin that is missing. Raises EstimatorSlimError where that fails."""
        options = replace(self.options, checkpoint=checkpoint_of(one.original, self.model_dir))
        with held(options.checkpoint) as checkpoint:
            write_twin(one.original, one.slim, self.layout.place, lambda: options, {},
                       checkpoint=checkpoint)

    def newest_lacks_its_twin(self) -> bool:
        """Whether the newest version has no slim twin, for whatever reason."""
        return newest_lacks_its_twin(self.layout.originals, self.slims)


def exports_in(model_dir: str, options: Options, names: Sequence[str] = ()) -> list[Export]:
    """What exporters of a model_dir have exported.

    Args:
      model_dir: the Estimator's.
      options: those of the exporters.
      names: of the exporters; none: all that have slim servables, or records of them.

    Raises:
      OptionError: an exporter has exported nothing, or there are none.
    """
    found: list[Export] = []
    for name in names or _names(os.path.join(model_dir, "export")):
        path = os.path.join(model_dir, "export", name)
        if options.layout == BESIDE and _is_replaced(path):
            if names or len(_names(os.path.dirname(path))) == 1:
                raise OptionError(f"{path} has slim servables in the place of their originals; expected "
                                  "the layout of its exporter. Give layout='replace'")
            continue
        one = Export(name, model_dir, layout_of(path, layout=options.layout, suffix=options.suffix,
                                                root=options.root, report=options.report), options)
        if names and not versions_in(one.layout.originals):
            raise OptionError(f"{one.layout.originals} has no exported versions; expected the name of "
                              f"an exporter of {model_dir}")
        if names or versions_in(one.layout.originals) and tf.io.gfile.isdir(one.slims):
            found.append(one)
    if not found:
        raise OptionError(f"{model_dir} has no exporter with slim servables; expected an Estimator's "
                          "model_dir, whose folder `export` has a folder of them. Name the exporters "
                          "whose versions shall have some")
    return found


def _is_replaced(path: str) -> bool:
    """Whether the originals of the export at `path` are where the layout `replace` has them."""
    layout = layout_of(path, layout=REPLACE, suffix="", root=None, report=None)
    return bool(versions_in(layout.originals))


def _names(folder: str) -> list[str]:
    return sorted(names_in(folder)) if tf.io.gfile.isdir(folder) else []
