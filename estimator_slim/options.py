"""Every option once: its type, its default, what it may be, and the help of its flag.

An option `x` is a keyword argument of OptimizingExporter and optimize_saved_model and, where it can be
written in a shell, the absl flag `--slim_x`. Who chose among them is another module's: choosing.py.

TensorFlow is loaded when a list of transforms or a file is looked at, not when the flags are defined.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from absl import flags

from estimator_slim import _option_checks as checks
from estimator_slim._option_flags import define
from estimator_slim.layout import BESIDE, REPLACE
from estimator_slim.presets import AUTO, DEFAULT, MOST_LOST, PRESETS

if TYPE_CHECKING:
    from estimator_slim.transforms import Transform

KEEP_ORIGINAL, RAISE = "keep_original", "raise"                # on_error
REPORT, OFF = "report", "off"                                    # verify
EXPORTER, FUNCTION = "OptimizingExporter", "optimize_saved_model"
BY_CODE, BY_FLAG, BY_DEFAULT = "code", "flag", "default"
LISTS = ("transforms", "preset", "bits")  # each says what is run


@dataclass(frozen=True)
class Option:
    """What the table says of one option.

    Attributes:
      default: what holds where nobody chose.
      flag: what its flag takes: `str`, `bool`, `int`, `float` or a tuple of choices; None: no flag.
      check: what it may be.
      help: what it is, as `--help` shows it.
      takers: whose keyword argument it is.
    """

    default: Any
    flag: type | tuple[str, ...] | None
    check: Callable[[str, Any], Any]
    help: str
    takers: tuple[str, ...] = (EXPORTER, FUNCTION)


def _option(*entry: Any, **rest: Any) -> Any:
    return dataclasses.field(metadata={"option": Option(*entry, **rest)})


def _choice(*choices: str, help: str, **rest: Any) -> Any:
    """One of these texts; the first is the default."""
    return _option(choices[0], choices, functools.partial(checks.one_of, choices), help, **rest)


@dataclass(frozen=True)
class Options:
    """What was chosen, checked: the table of the options, each a field of this class.

    `chosen_by` says for each option whether it is of the `code`, of its `flag` or the `default`.
    """

    transforms: tuple[Transform, ...] = _option(
        DEFAULT, str, checks.transforms,
        "The graph transforms to run on every export, in the Graph Transform Tool's syntax.")
    preset: str | None = _option(
        None, tuple(PRESETS), functools.partial(checks.one_of_or_none, tuple(PRESETS)),
        "In place of --slim_transforms: lossless, balanced (the default list), smallest, or auto, the "
        "smallest that your examples do not tell from the original.")
    bits: int | None = _option(
        None, int, checks.bits, "In place of --slim_transforms: the default list with 4, 8 or 16 bits.")
    fallback: bool = _option(
        True, bool, checks.boolean,
        "Whether to try lists that change less where a slim servable does not answer as its original.")
    enabled: bool = _option(
        True, bool, checks.boolean, "Whether to write a slim servable beside every export.")
    on_error: str = _choice(
        KEEP_ORIGINAL, RAISE, help=
        "What a failed optimization does: keep_original logs it and goes on, raise stops the program.")
    layout: str = _choice(
        BESIDE, REPLACE, takers=(EXPORTER,), help=
        "Where slim servables go: beside, into a folder beside the export's, or replace, into the "
        "export's folder itself, and the originals into export-original.")
    suffix: str = _option(
        "-slim", str, checks.suffix,
        "What is added to the name of the export's folder to name the slim servables' folder.")
    root: str | None = _option(
        None, str, functools.partial(checks.path_to, "a folder for folders of slim servables"),
        "The folder in which the slim servables' folder is made; by default the one in which the "
        "export's folder stands.")
    weights: str = _choice(
        "auto", "variables", "constants", help=
        "Where weights are written: auto (small ones as constants, large ones as variables), variables "
        "or constants.")
    meta_graphs: str = _choice(
        "serve", "all", help=
        "Which MetaGraphs a slim servable has: serve, the one that is optimized, or all, the others as "
        "they are and with the whole checkpoint that they restore.")
    verify: str = _choice(
        "enforce", "require", REPORT, OFF, help=
        "What becomes of a slim servable that does not answer as its original: enforce does not publish "
        "it, require does not publish either what little could be asked of, report logs what differs "
        "and publishes it, off asks nothing.")
    max_error: float | None = _option(
        None, float, checks.share,
        "Largest allowed error of an output, as a share of its range, which then alone judges "
        "distances; by default what is usual for the transforms.")
    min_agreement: float | None = _option(
        None, float, checks.share,
        "Smallest allowed share of decisions that stay the same, near ties not counted, which then "
        "alone judges decisions; by default what is usual for the transforms.")
    max_accuracy_loss: float | None = _option(
        None, float, checks.share,
        "How much less of the labelled answers may be right, as a share of them, which then alone "
        f"judges accuracy; by default {MOST_LOST} with --slim_preset=auto.")
    verify_examples: str | None = _option(
        None, str, checks.examples, "A file to verify with: tf.Examples (TFRecord), JSON, or .npz.")
    verify_input_fn: Callable[..., Any] | None = _option(
        None, None, checks.input_fn, "The input_fn of an EvalSpec, to verify with its features.")
    verify_memory: int | None = _option(
        None, str, checks.memory,
        "Memory that loading a servable to verify it may take, beside TensorFlow's own, such as 2GB; by "
        "default what is free on the machine and in its container.")
    warmup: int = _option(
        0, int, checks.records, "How many warm-up records to write for each signature.")
    imports: tuple[str, ...] = _option(
        None, str, checks.modules,
        "Python modules to import before a servable is read, comma-separated: those that define the "
        "operations it has besides TensorFlow's own, such as tensorflow_text.")
    patience: int = _option(
        30, int, checks.seconds,
        "Seconds in which a store such as gs:// has to answer when it is first looked at; TensorFlow "
        "itself goes on asking for minutes.", (FUNCTION,))
    report: str | None = _option(
        None, str, functools.partial(checks.path_to, "a folder for records or off"),
        "The folder in which a folder of records is made, or off for no records; by default the one "
        "in which the slim servables' folder stands: export/best-slim-report/1700000000.json.")
    background: bool = _option(
        False, bool, checks.boolean,
        "Whether servables are slimmed in a process beside the evaluation, which does not wait for it.",
        (EXPORTER,))
    checkpoint: str | None = _option(
        None, None, checks.checkpoint,
        "The training checkpoint that was exported, or its model_dir: it tells which rows were trained.",
        (FUNCTION,))
    chosen_by: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def lists(self) -> tuple[tuple[Transform, ...], ...]:
        """The lists to try, the first of which is `transforms`."""
        if self.preset is None:
            return (self.transforms,)
        return tuple(checks.transforms("preset", one) for one in PRESETS[self.preset])

    @property
    def is_default_list(self) -> bool:
        """Nobody chose what is run."""
        return all(self.chosen_by.get(name) == BY_DEFAULT for name in LISTS)

    @property
    def is_auto(self) -> bool:
        """The person's own examples decide."""
        return self.preset == AUTO

    @property
    def by_flags(self) -> bool:
        """True where a program parsed its flags and its code chose nothing that has one."""
        return are_parsed() and not any(by == BY_CODE and OPTIONS[name].flag is not None
                                        for name, by in self.chosen_by.items())


OPTIONS: dict[str, Option] = {one.name: one.metadata["option"] for one in dataclasses.fields(Options)
                              if one.metadata}


for _name, _one in OPTIONS.items():
    if _one.flag is not None:
        define(_name, _one.flag, _one.default, _one.check, _one.help)


def are_parsed() -> bool:
    """False before absl.app.run, and for ever in a notebook."""
    return bool(flags.FLAGS.is_parsed())
