"""Other Pythons and TensorFlows than the one at hand; hours, and so no part of the usual tests.

    pipx run nox -s trained                 # twelve: TensorFlow 2.12 to 2.15 on Python 3.9 to 3.11
    pipx run nox -s trained -- tests        # with all tests in place of the quick ones
    pipx run nox -s served                  # servers older and newer than the training
"""

from __future__ import annotations

import nox

PYTHONS = ["3.9", "3.10", "3.11"]
TENSORFLOWS = ["2.12.1", "2.13.1", "2.14.1", "2.15.1"]
SERVERS = ["2.12.1", "2.21.0"]
TOOLS = ["pytest>=7,<9", "pytest-xdist>=3", "hypothesis>=6", "psutil>=5", "Jinja2>=3,<4"]
QUICK = ["-m", "quick"]

nox.options.default_venv_backend = "virtualenv"


def _install(session: nox.Session, tensorflow: str) -> None:
    """The wheel, as a stranger gets it, beside a tensorflow-cpu that was there before."""
    session.install(f"tensorflow-cpu=={tensorflow}", *TOOLS)
    session.install(".")
    session.run("pip", "check")


@nox.session(python=PYTHONS)
@nox.parametrize("tensorflow", TENSORFLOWS)
def trained(session: nox.Session, tensorflow: str) -> None:
    """The tests where the training is: each TensorFlow that has Estimators, on each Python."""
    _install(session, tensorflow)
    session.run("pytest", "--import-mode=append", *(session.posargs or QUICK))  # of the wheel


@nox.session(python="3.11")
def served(session: nox.Session) -> None:
    """Slim servables of all test models that TensorFlow 2.15 made, where other ones serve."""
    made = session.create_tmp()
    _install(session, TENSORFLOWS[-1])
    session.run("python", "-m", "tests.other_tensorflows", "make", made)
    for server in session.posargs or SERVERS:
        session.install("--upgrade", f"tensorflow-cpu=={server}")
        session.run("python", "-m", "tests.other_tensorflows", "ask", made)
