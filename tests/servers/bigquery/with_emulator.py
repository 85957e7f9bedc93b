"""Runs a command with LONGSHORE_BIGQUERY_EMULATOR set to an emulator's URL; the emulator ends with it."""

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


def wait_for(port, emulator, log):
    until = time.monotonic() + 120
    while time.monotonic() < until and emulator.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the emulator does not start:\n" + log.read_text())


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    buckets, log, port = folder / "buckets", folder / "log", free_port()
    home = pathlib.Path(sys.executable).parent.parent / "home"
    arguments = ["--host", "127.0.0.1", "--port", str(port), "--grpc-port", str(free_port()), "--project", "local"]
    with log.open("w") as output:
        emulator = subprocess.Popen(
            [sys.executable, here / "start.py", *arguments, "--data-dir", folder / "data"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, "HOME": str(home), "GCS_LOCAL_ROOT": str(buckets)},
        )
    wait_for(port, emulator, log)
    told = {"LONGSHORE_BIGQUERY_EMULATOR": f"http://127.0.0.1:{port}", "LONGSHORE_BIGQUERY_BUCKETS": str(buckets)}
    status = subprocess.run(sys.argv[1:], env={**os.environ, **told}).returncode
    emulator.stdin.close()
    emulator.wait()
sys.exit(status)
