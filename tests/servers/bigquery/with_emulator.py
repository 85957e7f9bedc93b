"""Runs a command beside an emulator, whose URL is in LONGSHORE_BIGQUERY_EMULATOR, and a client that reads tables for tests, at
LONGSHORE_BIGQUERY_READER (read.py). Both end with it."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

here = pathlib.Path(__file__).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process, log):
    until = time.monotonic() + 120
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the emulator or its client does not start:\n" + log.read_text())


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    buckets, log, port, reading = folder / "buckets", folder / "log", free_port(), free_port()
    home = pathlib.Path(sys.executable).parent.parent / "home"
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--grpc-port", str(free_port()), "--project", "local"]
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as output:
        emulator = subprocess.Popen(
            [sys.executable, here / "start.py", *arguments, "--data-dir", folder / "data"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, "HOME": str(home), "GCS_LOCAL_ROOT": str(buckets)},
        )
        reader = subprocess.Popen(
            [sys.executable, here / "read.py", url, "local", str(reading)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(port, emulator, log)
        wait_for(reading, reader, log)
        told = {
            "LONGSHORE_BIGQUERY_EMULATOR": url,
            "LONGSHORE_BIGQUERY_BUCKETS": str(buckets),
            "LONGSHORE_BIGQUERY_READER": f"127.0.0.1:{reading}",
            "LONGSHORE_BIGQUERY_PYTHON": sys.executable,
        }
        status = subprocess.run(sys.argv[1:], env={**os.environ, **told}).returncode
    finally:
        emulator.stdin.close()
        reader.kill()
        emulator.wait()
sys.exit(status)
