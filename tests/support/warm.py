"""A Python that has TensorFlow and the package imported already: what it is told to run begins at once.

What `start` returns can be called as Python is (`-c`, `-m` or a program, and its arguments). The process
that runs it has the caller's arguments, environment, folder, open files and limits of resources, and
ends with it; the caller ends as it does. Python's own options are not taken over.

conftest.py has a run of the tests use it for each process that it starts, the ones of pytest-xdist too;
but where a test asks for the fixture `cold`.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import json
import multiprocessing
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.processes import PYTHON, environment, keep_what_is_imported

# With the path of who starts it, since the package may be installed, or lie beside the tests.
_SERVER = "import runpy, sys; sys.path[:] = {path!r}; runpy.run_module({module!r}, run_name='__main__')"
_CALLER = """
import contextlib, json, os, resource, signal, socket, sys
files = []
for number in map(int, os.listdir("/proc/self/fd")):
    with contextlib.suppress(OSError):  # the one that lists them
        if os.get_inheritable(number):
            files.append(number)
connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
limits = [[number, resource.getrlimit(number)]
          for name, number in vars(resource).items() if name.startswith("RLIMIT_")]
called = json.dumps([files, sys.argv[1:], dict(os.environ), os.getcwd(), limits]).encode()
socket.send_fds(connection, [len(called).to_bytes(8, "little")], files)
connection.sendall(called)
told = connection.makefile("rb")
process = int(told.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, _: os.kill(process, number))
code = int(told.readline())
if code < 0:
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def start() -> str:
    """Starts the process to fork from; it ends with this one. Returns the Python to call.

    Who calls it before TensorFlow is imported waits. Where the system has no file descriptors of
    processes it is the one that runs this.
    """
    if not hasattr(os, "pidfd_open"):
        return PYTHON
    made = tempfile.TemporaryDirectory()  # of a short name, as sockets need
    folder = Path(made.name)
    path, python = str(folder / "socket"), folder / "python"
    (folder / "caller.py").write_text(_CALLER.format(path=path))
    python.write_text(f'#!/bin/sh\nexec "{PYTHON}" -IS "{folder}/caller.py" "$@"\n')
    python.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        server = subprocess.Popen(
            [PYTHON, "-c", _SERVER.format(path=sys.path, module=__name__), str(listening.fileno()),
             str(python)], stdin=subprocess.PIPE, env=environment(), pass_fds=[listening.fileno()])
    atexit.register(made.cleanup)
    atexit.register(server.communicate)  # before that
    return str(python)


def use(python: str) -> None:
    """Has whatever starts the Python that runs this start that one."""
    sys.executable = python
    multiprocessing.set_executable(python)


def main(file: str, python: str) -> Any:
    """Forks for each caller, until stdin ends. In the processes that it forks it returns what to run."""
    atexit.register(_leave)  # first, so that it is called last
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: it ends with who started it
    with contextlib.suppress(ImportError):
        import jinja2  # noqa: F401  for the pages, where it is there
    import tensorflow as tf

    from estimator_slim import OptimizingExporter  # noqa: F401  with all but the command
    tf.estimator.Estimator  # noqa: B018  imports what is loaded when it is used
    keep_what_is_imported()  # or each process that is forked looks through it at its end
    signal.signal(signal.SIGCHLD, _reap)
    listening = socket.socket(fileno=int(file))
    while True:
        ready, _, _ = select.select([0, listening], [], [])
        if 0 in ready:
            return sys.exit
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            return _keep(connection, python)
        connection.close()


def _reap(*_: Any) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _keep(connection: socket.socket, python: str) -> Any:
    """Forks the process that runs; tells the caller how it ended, and ends it where the caller ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    length, files, _, _ = socket.recv_fds(connection, 8, 250)
    called = connection.recv(int.from_bytes(length, "little"), socket.MSG_WAITALL)
    process = os.fork()
    if process == 0:
        connection.close()
        numbers, *rest = json.loads(called)
        _renumber(files, numbers)
        return _prepared(python, *rest)
    for file in files:
        os.close(file)
    ended = os.pidfd_open(process)
    connection.sendall(b"%d\n" % process)
    ready, _, _ = select.select([ended, connection], [], [])
    if ended not in ready:
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(OSError):
        connection.sendall(b"%d\n" % status)
    os._exit(0)


def _renumber(files: list[int], numbers: list[int]) -> None:
    """Gives the files those numbers, in this process; any of them may have another's number now."""
    above = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, max(numbers) + 1) for file in files]
    for file in files:
        os.close(file)
    for file, number in zip(above, numbers):
        os.dup2(file, number)
        os.close(file)


def _prepared(python: str, arguments: list[str], inherited: dict, folder: str,
              limits: list) -> Any:
    """Makes this process what the caller wanted, and returns the function that is its program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, limit in limits:
        resource.setrlimit(number, limit)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(inherited)
    tempfile.tempdir = None  # which TensorFlow asked for already
    use(python)
    while arguments and arguments[0] not in ("-c", "-m") and arguments[0].startswith("-"):
        arguments.pop(0)
    kind, program, rest = (arguments[0], arguments[1], arguments[2:]) if arguments[0] in ("-c", "-m") \
        else ("", arguments[0], arguments[1:])
    sys.argv[:] = [kind or program, *rest]
    own = [entry for entry in sys.path if entry not in ("", environment()["PYTHONPATH"])]
    first = os.path.dirname(os.path.abspath(program)) if not kind else "" if kind == "-c" else folder
    sys.path[:] = [first, *filter(None, inherited.get("PYTHONPATH", "").split(os.pathsep)), *own]
    if kind == "-c":
        return lambda: exec(compile(program, "<string>", "exec"), _new_main())
    if kind == "-m":
        return lambda: runpy.run_module(program, run_name="__main__", alter_sys=True)
    return lambda: runpy.run_path(program, run_name="__main__")


def _new_main() -> dict[str, Any]:
    """The namespace of a new `__main__`."""
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    return module.__dict__


def _leave() -> None:
    """Ends this process where its program went well: taking TensorFlow apart takes longer than most."""
    if _went_well:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
        os._exit(0)


if __name__ == "__main__":
    _went_well = False
    try:
        main(*sys.argv[1:])()
        _went_well = True
    except SystemExit as e:
        _went_well = not e.code
        raise
