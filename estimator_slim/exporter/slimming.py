"""The slim twins of one exporter's versions: written, here or beside the training, and removed."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import tensorflow as tf

from estimator_slim import log
from estimator_slim.choosing import chosen, resolve
from estimator_slim.errors import EstimatorSlimError, OptionError
from estimator_slim.events import events_folder, write_events, write_scalar
from estimator_slim.exporter.background import Background, as_error
from estimator_slim.exporter.call import Call
from estimator_slim.exporter.child import Failure
from estimator_slim.exporter.collection import mirror_collection
from estimator_slim.exporter.handing_over import work_for_a_child
from estimator_slim.exporter.held_checkpoint import held
from estimator_slim.exporter.interruption import told_if_interrupted
from estimator_slim.exporter.writing import stand_in, write_twin
from estimator_slim.layout import Layout, layout_of
from estimator_slim.options import EXPORTER, OFF, RAISE, Options
from estimator_slim.report import Report
from estimator_slim.twins import lacking, newest_lacks_its_twin, versions_in


class Slimming:
    """Sees to the slim twins of what one exporter exports.

    Attributes:
      background: what is done beside the training.
    """

    def __init__(self, name: str, arguments: dict[str, Any],
                 check_suffix: Callable[[str], None]) -> None:
        """For the exporter `name`, with the options that code chose.

        `check_suffix`: raises OptionError where the suffix of the flag is another exporter's.
        """
        self.background = Background()
        self._name, self._arguments, self._check_suffix = name, arguments, check_suffix
        self._failed: dict[str, Report] = {}  # slim twin → how the last try at it failed in this process
        self._late: EstimatorSlimError | None = None
        self._told: tuple[int, bool] | None = None  # of the newest version: the step, whether it lacked

    def layout(self, export_path: str) -> Layout | None:
        """Where everything goes; None where that cannot be."""
        with self.failing(f"no slim servables of what is exported to {export_path}"):
            return layout_of(export_path, layout=self.chosen("layout"), suffix=self.chosen("suffix"),
                             root=self.chosen("root"), report=self.chosen("report"))
        return None

    def chosen(self, name: str) -> Any:
        """What was chosen of an option, not checked."""
        return chosen(name, self._arguments[name])

    def follow(self, call: Call, original: str) -> bool:
        """Writes the slim twin of a new original; removes the twins of those that are gone.

        False where the system kept it from being written, as where the disk is full.
        """
        with self.failing(f"the folder beside {original} may hold versions whose original is gone"):
            is_beside = False
            with self.failing(f"no slim servable of {original}"):
                is_beside = self._hand_over(call, original) or self._write(call, original)
            if not is_beside:
                _tidy(call.layout, original)
        failed = self._failed.get(call.layout.slim(original))
        return not (failed and failed.error and failed.error.passing)

    def make_up(self, call: Call, folder: str, but: str | None) -> None:
        """Writes the newest slim twin in a folder of exports that is missing and worth another try."""
        slims = call.layout.slims(folder)
        there = versions_in(folder)
        self._failed = {slim: record for slim, record in self._failed.items()
                        if os.path.basename(slim) in there}
        options = replace(resolve(EXPORTER, self._arguments), report=call.layout.place)
        for one in lacking(folder, slims, options, self._failed):
            if not self.background.has_room:
                return
            if one.original != but and not one.left_alone and not self.background.has(one.slim):
                log.info("estimator_slim: %s has no slim servable yet; it gets it now", one.original)
                own = call.of(one.original)
                with self.failing(f"no slim servable of {one.original}",
                                  again=one.last is not None and one.last.error is not None):
                    self._hand_over(own, one.original) or self._write(own, one.original)
                if call.layout.replaced and not self.background.has(one.slim):
                    stand_in(one.original, one.slim)
                return

    def tell_of_newest(self, call: Call, folder: str, is_new: bool) -> None:
        """Shows in TensorBoard whether the newest version in a folder of exports lacks its slim twin.

        It is told once for each that is new, and where it has changed; not while one is in work.
        """
        events = self._events(call)
        if events is None or not versions_in(folder):
            return
        now = call.step, newest_lacks_its_twin(folder, call.layout.slims(folder))
        if now != self._told and (is_new or self._told is None or now[1] != self._told[1]):
            self._told = now
            write_scalar(events, call.step, "newest version has no twin", now[1])

    @contextlib.contextmanager
    def failing(self, what: str, *, again: bool = False) -> Iterator[None]:
        """Logs what the block raises, and `what` it means, unless `on_error` is `raise`.

        `again`: the same was logged at length before.
        """
        try:
            yield
        except Exception as e:
            if self.chosen("on_error") == RAISE:
                raise
            self._log(e, what, again=again)

    def raise_from_background(self) -> None:
        """Raises what failed beside the training, where `on_error` is `raise`."""
        late, self._late = self._late, None
        if late:
            raise late

    def _write(self, call: Call, original: str) -> bool:
        """Writes a twin; False, for it is not done beside the training."""
        layout = call.layout
        self._check_suffix(chosen("suffix", None))
        with told_if_interrupted(original), held(call.checkpoint) as checkpoint:
            write_twin(original, layout.slim(original), layout.place, lambda: self._options(call),
                       self._failed, self._tell(call), checkpoint)
        return False

    def _hand_over(self, call: Call, original: str) -> bool:
        """Has a twin written beside the training, if that is wanted and possible."""
        if not self.chosen("background"):
            return False
        slim, place = call.layout.slim(original), call.layout.place

        def done(failure: Failure | None) -> None:
            again = self._failed.pop(slim, None) is not None
            if failure:
                self._note(failure, original, slim, again=again)
            # Nothing stands in for it where the training is to end; a newer one may be exported already.
            if not self._late and tf.io.gfile.exists(original):
                _tidy(call.layout, original)
            self.tell_of_newest(call, os.path.dirname(original), is_new=not again)

        with contextlib.suppress(OptionError):  # which is recorded where it is written here
            self._check_suffix(chosen("suffix", None))
            work = work_for_a_child(original, slim, place, self._options(call),
                                    self._tell(call), done)
            if work:
                self.background.hand_over(work)
                return True
        return False

    def _note(self, failure: Failure, original: str, slim: str, *, again: bool) -> None:
        """Logs what a child failed by; with `on_error=raise` the next call raises it, too."""
        if failure.report:
            self._failed[slim] = failure.report
        error = as_error(failure)
        self._log(error, f"no slim servable of {original}", again=again)
        if self.chosen("on_error") == RAISE:
            self._late = error

    def _log(self, error: Exception, what: str, *, again: bool) -> None:
        if again:
            log.warning("estimator_slim: still %s: %s", what, error)
        else:
            on = "" if self.chosen("on_error") == RAISE else " and training goes on"
            log.failure(error, f"estimator_slim: {what}; the original is as it was{on}")

    def _tell(self, call: Call) -> Callable[[Report], None] | None:
        """What shows a report in TensorBoard, among what the Estimator's model_dir holds."""
        folder = self._events(call)
        return functools.partial(write_events, folder, call.step) if folder else None

    def _events(self, call: Call) -> str | None:
        """The folder of what TensorBoard shows of this exporter."""
        model_dir = getattr(call.estimator, "model_dir", None)
        if model_dir is None or call.layout.place == OFF:
            return None
        return events_folder(model_dir, self._name, self.chosen("suffix"))

    def _options(self, call: Call) -> Options:
        return call.completed(resolve(EXPORTER, self._arguments))


def _tidy(layout: Layout, original: str) -> None:
    """What is done behind each try: nothing lacks in the layout `replace`, and what is gone goes."""
    if layout.replaced:
        stand_in(original, layout.slim(original))
    mirror_collection(original, layout)
