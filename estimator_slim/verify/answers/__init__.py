"""What each servable answers, asked in a process of its own."""

from estimator_slim.verify.answers.asking import CRASH, Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.lookups import LookedUp, graph_of, looked_up, prefix_of
from estimator_slim.verify.answers.room import LARGE_BYTES, NoRoomError, ask_within
from estimator_slim.verify.answers.serving import fetched, refusal
from estimator_slim.verify.answers.thinning import thinned_like
from estimator_slim.verify.answers.worker import end_worker

__all__ = [
    "CRASH",
    "Heard",
    "Job",
    "LARGE_BYTES",
    "LookedUp",
    "NoRoomError",
    "ask",
    "ask_within",
    "end_worker",
    "fetched",
    "graph_of",
    "looked_up",
    "prefix_of",
    "refusal",
    "thinned_like",
]
