"""What each servable answers, asked in a process of its own."""

from estimator_slim.verify.answers.asking import CRASH, Heard, Job
from estimator_slim.verify.answers.child import ask
from estimator_slim.verify.answers.from_files import LARGE_BYTES
from estimator_slim.verify.answers.serving import fetched, refusal
from estimator_slim.verify.answers.thinning import thinned_like
from estimator_slim.verify.answers.worker import end_worker

__all__ = [
    "CRASH",
    "Heard",
    "Job",
    "LARGE_BYTES",
    "ask",
    "end_worker",
    "fetched",
    "refusal",
    "thinned_like",
]
