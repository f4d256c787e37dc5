"""What each servable answers, asked in a process of its own."""

from estimator_slim.verify.answers.asking import CRASH, Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.room import NoRoomError, ask_within
from estimator_slim.verify.answers.serving import fetched, refusal
from estimator_slim.verify.answers.thinning import thinned_like
from estimator_slim.verify.answers.worker import end_worker

__all__ = [
    "CRASH",
    "Heard",
    "Job",
    "NoRoomError",
    "ask",
    "ask_within",
    "end_worker",
    "fetched",
    "refusal",
    "thinned_like",
]
