"""A checkpoint that is held while servables are optimized, so that the next exporter still finds it.

Optimizing takes seconds, in which the chief may delete the checkpoint that the next exporter of the same
evaluation is about to export. TensorFlow calls nothing when the last exporter is done. So:

    model_dir/model.ckpt-9.index            of its files hard links are made before the work
    model_dir/temp-checkpoint-<...>/        here, where nobody looks for checkpoints;
    model_dir/temp-checkpoint-<...>/back/   and here of those that are linked back, since they are gone

Optimizing makes an evaluator late, too: the checkpoint that it evaluates next was written a while ago,
and the chief may delete it before the evaluation has opened it. So the newest one is held, too, from the
end of an export to the next. What is held is watched: what is gone is linked back at once.

What was linked back is taken away when another checkpoint is exported, or when the process ends: unless
another file has its name by then, or the trainer keeps it, as its file `checkpoint` says. What a process
that was killed left is taken away by the next one that holds a checkpoint there.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import threading
import time
from collections.abc import Iterator

import tensorflow as tf

from estimator_slim import log
from estimator_slim.saved_model import remove_abandoned, temporary_folder

_NAME, _BACK = "checkpoint", "back"
_BETWEEN_LOOKS = 0.02  # seconds


@contextlib.contextmanager
def held(prefix: str | None) -> Iterator[str | None]:
    """Holds the checkpoint with this prefix for the block; what is gone meanwhile is linked back.

    The block gets the prefix under which its files stay, whatever the chief does. Where there are no
    hard links, that is the checkpoint's own.
    """
    one = _hold(prefix) if prefix else None
    try:
        yield one.prefix if one else prefix
    finally:
        if one:
            try:
                one.give_up()
            except OSError as e:
                log.warning("estimator_slim: %s was deleted meanwhile and cannot be linked back (%s): "
                            "an exporter behind may not find it", prefix, e)


class _Held:
    """The links of one checkpoint's files, and how many blocks hold it."""

    def __init__(self, prefix: str) -> None:
        """Makes the links. Raises OSError where that is not possible."""
        self._home, self._name = os.path.split(os.path.abspath(prefix))
        self._keeping = contextlib.ExitStack()
        remove_abandoned(self._home, _NAME, first=functools.partial(_take_away, self._home))
        self._folder = self._keeping.enter_context(temporary_folder(os.path.join(self._home, _NAME)))
        self.prefix = os.path.join(self._folder, self._name)
        self.blocks = 0
        try:
            for file in _files(os.path.join(self._home, self._name)):
                os.link(os.path.join(self._home, file), os.path.join(self._folder, file))
        except BaseException:
            self._keeping.close()
            raise

    def give_up(self) -> None:
        """Ends a block: links back what is gone; where nothing was, the last block ends it all."""
        with _lock:
            self.blocks -= 1
            if not self._link_back() and not self.blocks:
                self.end()

    def watch(self) -> None:
        """Links back at once what is gone, until this ends or the files cannot be linked."""
        path = os.path.join(self._home, self._name)
        with contextlib.suppress(OSError):
            while _holding.get(path) is self:
                with _lock:
                    if _holding.get(path) is self:
                        self._link_back()
                time.sleep(_BETWEEN_LOOKS)

    def end(self) -> None:
        """Takes away what was linked back, and the links."""
        _holding.pop(os.path.join(self._home, self._name), None)
        _take_away(self._home, self._folder)
        self._keeping.close()

    def _link_back(self) -> bool:
        """Links back what is gone; whether anything was, now or before."""
        back = os.path.join(self._folder, _BACK)
        for file in _files(self.prefix):
            with contextlib.suppress(FileExistsError):
                os.link(os.path.join(self._folder, file), os.path.join(self._home, file))
                os.makedirs(back, exist_ok=True)
                os.link(os.path.join(self._folder, file), os.path.join(back, file))
        return os.path.isdir(back)


_holding: dict[str, _Held] = {}
_lock = threading.RLock()


def let_go(but: str | None) -> None:
    """Takes away what was linked back of other checkpoints than the one that is exported now."""
    with _lock, contextlib.suppress(OSError):
        for prefix, one in list(_holding.items()):
            if not one.blocks and (but is None or prefix != os.path.abspath(but)):
                one.end()


def hold_newest(exported: str | None) -> None:
    """Holds the newest checkpoint beside the one that is exported, until the next export."""
    if exported is None or "://" in exported:
        return
    newest = tf.train.latest_checkpoint(os.path.dirname(exported))
    if newest and os.path.abspath(newest) != os.path.abspath(exported) and (one := _hold(newest)):
        one.blocks -= 1


def _hold(prefix: str) -> _Held | None:
    with _lock:
        try:
            if "://" in prefix:
                raise OSError("it is remote")
            path = os.path.abspath(prefix)
            one = _holding.get(path)
            if one is None:
                one = _holding[path] = _Held(path)
                threading.Thread(target=one.watch, name=f"watches {path}", daemon=True).start()
        except (OSError, tf.errors.OpError) as e:
            _say_once(os.path.dirname(prefix), str(e))
            return None
        one.blocks += 1
        return one


def _take_away(home: str, folder: str) -> None:
    """Removes from `home` what `folder` says was linked back, if it is that and nobody keeps it."""
    state = tf.train.get_checkpoint_state(home)
    kept = {os.path.basename(path) for path in state.all_model_checkpoint_paths} if state else set()
    back = os.path.join(folder, _BACK)
    for file in os.listdir(back) if os.path.isdir(back) else []:
        path = os.path.join(home, file)
        with contextlib.suppress(OSError):
            is_it = os.path.samefile(path, os.path.join(back, file))
            if is_it and os.path.splitext(file)[0] not in kept:
                os.remove(path)


def _files(prefix: str) -> list[str]:
    """The names of a checkpoint's files: its data, its index, without which it is none, its graph."""
    home, name = os.path.split(prefix)
    known = (f"{name}.data-", f"{name}.index", f"{name}.meta")
    return sorted(file for file in os.listdir(home) if file.startswith(known))


@functools.lru_cache
def _say_once(home: str, why: str) -> None:
    log.info("estimator_slim: checkpoints in %s cannot be held (%s): one that the chief deletes while a "
             "servable is optimized is gone for the exporters behind. Keep more of them "
             "(RunConfig.keep_checkpoint_max) if there are any", home, why)


@atexit.register
def _end_all() -> None:
    with _lock:
        for one in list(_holding.values()):
            with contextlib.suppress(OSError):
                one.end()


def _leave_to_the_parent() -> None:
    """What a process holds is not for those to take away that are forked from it."""
    global _holding, _lock, _parents
    _parents, _holding, _lock = _holding, {}, threading.RLock()


_parents: dict[str, _Held] = {}
os.register_at_fork(after_in_child=_leave_to_the_parent)
