"""Asks a servable within the memory there is: loaded whole, or with its tables left in their files.

A slim servable that fits is loaded whole, as servers load it, so that no fault of that goes unseen. Of
one that does not, the tables stay in their files (`from_files.py`), which are then read through for
their checksums. Where the rest does not fit either, nothing is asked: what the system ends for want of
memory may be the training.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from estimator_slim.checkpoint import CheckpointReader
from estimator_slim.errors import SourceError
from estimator_slim.free_memory import free_memory
from estimator_slim.verify.answers.asking import CRASH, Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.load import load_of, most_bytes
from estimator_slim.verify.answers.lookups import LookedUp, prefix_of
from estimator_slim.verify.answers.worker import is_there
from estimator_slim.verify.request import Refusal

LARGE_BYTES = 1 << 20    # from here on a table of an original is not worth loading
_ANY = 1                 # where memory is short, none is
_ALWAYS = 64 << 20       # bytes that may be taken in any case, where nobody gave a limit
_TENSORFLOW = 256 << 20  # of a process that asks, beside the files that it shares with this one
_SHARE = 0.9             # of what is free: others need memory, too


class NoRoomError(Exception):
    """There is too little memory to ask a servable; the text says which, how much, and what to do."""


def ask_within(job: Job, memory: int | None, *, seconds: float, whole: bool) -> Heard:
    """What a servable answers.

    Args:
      job: what to ask it.
      memory: bytes that it may take, beside what TensorFlow takes; None: what is free.
      seconds: that asking may take.
      whole: it is loaded whole where it fits; if false, it is an original, whose files were checked when
        it was frozen, and large tables stay in them wherever it is asked.

    Raises:
      NoRoomError: there is too little memory.
      VerificationError: it takes too long, or one process after the other crashes.
      DestinationError: what is asked and told cannot be written.
    """
    room = room_to_load(memory)
    for in_files in (None if whole else LARGE_BYTES, _ANY):
        heard = _asked(replace(job, in_files=in_files), room, seconds, check=whole)
        if heard is not None and not _lacked_memory(heard):
            return heard
    raise NoRoomError(_too_large(replace(job, in_files=_ANY), room, memory))


def room_to_load(memory: int | None) -> int:
    """Bytes that a servable may take: those that were given, or most of what is free."""
    if memory is not None:
        return memory
    free = free_memory()
    if free is None:
        return 1 << 62
    return max(_ALWAYS, int(free * _SHARE) - (0 if is_there() else _TENSORFLOW))


def _asked(job: Job, room: int, seconds: float, *, check: bool) -> Heard | None:
    """What it answers; None where it does not fit."""
    why = ""
    try:
        if most_bytes(job.directory) > room:
            load = load_of(job)
            if load.byte_count > room:
                return None
            if check and load.left:
                _check(job.directory, load.left)
                why = (f"it was not loaded whole, as {room / 1e6:,.0f} MB are free to do so; its "
                       "tables were read from their files, whose checksums are right")
    except SourceError as error:
        return Heard(refused=Refusal(type(error).__name__, str(error)), step="done")
    return replace(ask([job], seconds=seconds)[0], in_files=why)


def _check(directory: str, left: Iterable[LookedUp]) -> None:
    """Reads tables through for their checksums. Raises SourceError where one is damaged."""
    prefix = prefix_of(directory)
    if prefix:
        reader = CheckpointReader(prefix)
        for one in left:
            reader.verify(one.weight.origin)


def _lacked_memory(heard: Heard) -> bool:
    """Whether it was refused, or its process was ended, for want of memory."""
    refused = heard.refused
    return refused is not None and (refused.error == "ResourceExhaustedError" or (
        refused.error == CRASH and refused.message.startswith("SIGKILL")))


def _too_large(job: Job, room: int, memory: int | None) -> str:
    load = load_of(job)
    much = (f", {load.its_bytes / 1e6:,.0f} MB of them for the variable {load.largest!r}, of which "
            "requests read more than rows" if 2 * load.its_bytes > load.byte_count else "")
    limit = ("verify_memory allows" if memory is not None else
             "what is free on this machine and in this container allows")
    return (f"loading {job.directory} takes about {load.byte_count / 1e6:,.0f} MB{much}, and {limit} "
            f"{room / 1e6:,.0f} MB. Give it more memory, say how much it may take with verify_memory "
            "(--slim_verify_memory), or compare the two where there is more (estimator-slim compare)")
