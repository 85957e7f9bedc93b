"""Runs a command beside one PostgreSQL and one Azurite, which the tests it starts share: cargo nextest gives each test a
process of its own, and without this each of them starts servers of its own. Both end with the command.

LONGSHORE_TEST_POSTGRES is the folder of the socket and the port, LONGSHORE_TEST_AZURITE the address."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = HERE.parent.parent / "scripts"
WATCH = HERE.parent.parent / "destinations/filesystem/tests/common/end_with_stdin.js"


def path_of(script):
    return subprocess.run([SCRIPTS / script], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def wait(is_ready, process, log):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if is_ready():
            return
        time.sleep(0.03)
    sys.exit("a server of the tests does not start:\n" + log.read_text())


def start_postgres(folder):
    programs = pathlib.Path(path_of("get-postgres"))
    # PostgreSQL does not run as root.
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.getuid() == 0 else []
    folder.mkdir()
    if user:
        shutil.chown(folder, "postgres")
    log, env = folder.parent / "postgres.log", {**os.environ, "LC_ALL": "C"}
    env.pop("PGOPTIONS", None)
    initdb = [programs / "initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run([*user, *initdb, "-D", folder / "data"], cwd=folder, env=env, stdout=subprocess.DEVNULL, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    settings = ["fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "max_connections=300"]
    options = ["-D", folder / "data", "-k", folder, "-p", port, *[part for s in settings for part in ("-c", s)]]
    with log.open("w") as out:
        process = subprocess.Popen([*user, programs / "postgres", *options], cwd=folder, env=env, stdout=out, stderr=out)
    ask = [programs / "psql", "-XqAt", "-h", folder, "-p", port, "-U", "postgres", "-c", "SELECT 1"]
    wait(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, process, log)
    return process, f"{folder}:{port}"


def start_azurite(folder):
    blob = path_of("get-azurite")
    folder.mkdir()
    log = folder.parent / "azurite.log"
    options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--skipApiVersionCheck", "--loose", "--disableTelemetry"]
    with log.open("w") as out:
        command = ["node", "--require", WATCH, blob, *options, "--silent", "--location", folder]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
    told = lambda: log.read_text().partition("listens on http://")[2].split("\n")[0].strip()
    wait(told, process, log)
    return process, told()


def main():
    with tempfile.TemporaryDirectory(prefix="longshore-") as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        postgres, place = start_postgres(folder / "pg")
        azurite, address = start_azurite(folder / "azurite")
        told = {"LONGSHORE_TEST_POSTGRES": place, "LONGSHORE_TEST_AZURITE": address}
        try:
            status = subprocess.run(sys.argv[1:], env={**os.environ, **told}, check=False).returncode
        finally:
            azurite.stdin.close()
            # The first line is the server itself, whatever it was started through.
            os.kill(int((folder / "pg/data/postmaster.pid").read_text().split()[0]), signal.SIGINT)
            azurite.wait()
            postgres.wait()
    sys.exit(status)


if __name__ == "__main__":
    main()
