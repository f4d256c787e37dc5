"""What goes to a child process: all that the exporter knows, with the questions drawn already."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from estimator_slim import log
from estimator_slim.exporter.background import Work, is_for_a_child
from estimator_slim.exporter.child import Failure, Task
from estimator_slim.exporter.held_checkpoint import held
from estimator_slim.exporter.held_original import held_original
from estimator_slim.options import OFF, Options, are_parsed
from estimator_slim.report import Report
from estimator_slim.verify import Drawn


def work_for_a_child(original: str, slim: str, place: Any, options: Options,
                     tell: Callable[[Report], None] | None,
                     done: Callable[[Failure | None], None]) -> Work | None:
    """The work of slimming an original, which is held from now on; None where no child can do it.

    An input_fn cannot go to another process: its batches are drawn here.

    Raises:
      OptionError: the `verify_input_fn` fails.
    """
    asked = options.verify_input_fn if options.verify != OFF or options.warmup else None
    options = replace(options, verify_input_fn=asked and Drawn(asked))
    with contextlib.ExitStack() as stack:
        checkpoint = stack.enter_context(held(options.checkpoint))
        files = stack.enter_context(held_original(original))
        task = Task(original, files, slim, place, options, checkpoint, tell, are_parsed())
        if is_for_a_child(task):
            return Work(task, stack.pop_all(), done)
    log.warning("estimator_slim: %s is slimmed here, not in the background: no other process can read "
                "its transforms, or what verify_input_fn yields. Define transforms of your own in a "
                "module, not in the program that is started", original)
    return None
