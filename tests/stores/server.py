"""An S3 server on this machine: moto's, with a log of requests and, if told so, a listing that lags.

    python -m tests.stores.server FOLDER LAG    writes FOLDER/port when it listens, and FOLDER/requests

A line of the log: method, path, range (or -), status, bytes of the answer. LAG: the seconds that an
object is in the store before lists have it.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.processes import environment

BUCKET = "bucket"
_ENTRY = re.compile(rb"<(Contents|CommonPrefixes)>.*?<(?:Key|Prefix)>(.*?)</.*?</\1>", re.DOTALL)


@contextlib.contextmanager
def running(folder: Path, lag: float = 0.0) -> Iterator[dict[str, str]]:
    """A server for the block; gives the environment in which TensorFlow finds it."""
    process = subprocess.Popen([sys.executable, "-m", "tests.stores.server", str(folder), str(lag)],
                               env=environment(), stderr=subprocess.DEVNULL)
    try:
        while not (folder / "port").exists():
            assert process.poll() is None, "the server ended"
            time.sleep(0.05)
        yield environment(**reaching((folder / "port").read_text()))
    finally:
        process.kill()
        process.wait()


def reaching(port: str) -> dict[str, str]:
    """What tells TensorFlow's s3:// of a server on this machine."""
    return {"S3_ENDPOINT": f"http://127.0.0.1:{port}", "S3_USE_HTTPS": "0", "S3_VERIFY_SSL": "0",
            "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true"}


def serve(folder: Path, lag: float) -> None:
    """Serves until it is killed."""
    import boto3
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any, **__: Any) -> None:
            pass
    app = _logged(DomainDispatcherApplication(create_backend_app), folder / "requests", lag)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    import threading
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = reaching(str(server.server_port))
    boto3.client("s3", endpoint_url=found["S3_ENDPOINT"], region_name=found["AWS_REGION"],
                 aws_access_key_id="any", aws_secret_access_key="any").create_bucket(Bucket=BUCKET)
    (folder / "port.new").write_text(str(server.server_port))
    os.rename(folder / "port.new", folder / "port")
    threading.Event().wait()


def _logged(app: Callable, log: Path, lag: float) -> Callable:
    """The application with a log, and lists that lack what is younger than `lag` seconds."""
    written: dict[str, float] = {}

    def answer(asked: dict[str, Any], start: Callable) -> list[bytes]:
        told: list[Any] = []
        body = b"".join(app(asked, lambda status, headers, *_: told.extend([status, headers])))
        status, headers = told[:2]
        method, path = asked["REQUEST_METHOD"], asked["PATH_INFO"]
        key = path[len(BUCKET) + 2:]
        if method == "PUT" and key:
            written[key] = time.monotonic()
        if lag and method == "GET" and "list-type" in asked["QUERY_STRING"]:
            young = {key for key, when in written.items() if time.monotonic() - when < lag}
            old = written.keys() - young
            body = _ENTRY.sub(lambda entry: entry[0] if any(
                one.startswith(entry[2].decode()) for one in old) else b"", body)
            headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
            headers.append(("Content-Length", str(len(body))))
        with open(log, "a") as file:
            file.write(f"{method} {path} {asked.get('HTTP_RANGE', '-')} {status[:3]} {len(body)}\n")
        start(status, headers)
        return [body]
    return answer


if __name__ == "__main__":
    serve(Path(sys.argv[1]), float(sys.argv[2]))
