#!/usr/bin/env python3
"""Longshore's load into PostgreSQL beside `psql \\copy` of the same finished rows, and whole runs beside dlt.

Starts a PostgreSQL server of its own with default settings, makes its data with `bench-data`, and runs the contestants
in turn (A B A B ...), each process measured from outside. The load step is `longshore pipeline NAME retry` on a sealed
package, from the start of the process to its end; `\\copy` loads the same rows as CSV in one transaction into existing
tables with the same columns. dlt runs in the interpreter of --dlt-python, which needs dlt[postgres,parquet] and orjson.
Exit status: 0 measured, 1 a command failed or row counts disagree.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLES = ["orders", "orders__line_items", "orders__line_items__tax_lines", "orders__tags", "orders__events",
          "orders__customer__marketing__channels"]  # fmt: skip
# A trigger that makes the commit fail, so that the package is sealed and waits to be loaded.
HOLD = """CREATE OR REPLACE FUNCTION public.hold() RETURNS event_trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%loads') THEN
            RAISE EXCEPTION 'the package is to wait';
        END IF;
    END $$;
    CREATE EVENT TRIGGER hold ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.hold()"""


class Server:
    def __init__(self, programs, folder):
        self.programs, self.folder = Path(programs), folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.as_user:
            shutil.chown(folder, "postgres")
            os.chmod(folder, 0o755)
        run([*self.as_user, str(self.programs / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-A", "trust"])
        command = [str(self.programs / "postgres"), "-D", str(folder / "data"), "-k", str(folder), "-p", str(self.port),
                   "-c", "listen_addresses=127.0.0.1"]  # fmt: skip
        self.process = subprocess.Popen([*self.as_user, *command], stderr=open(folder / "log", "w"), cwd=folder)
        for _ in range(200):
            if subprocess.run(self.psql_command("SELECT 1"), capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit((folder / "log").read_text())

    def psql_command(self, *statements):
        command = [str(self.programs / "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-p", str(self.port), "-U", "postgres"]
        return [*command, *[part for s in statements for part in ("-c", s)]]

    def psql(self, *statements):
        return run(self.psql_command(*statements))

    def url(self):
        return f"postgres://postgres@{str(self.folder).replace('/', '%2F')}:{self.port}/postgres"

    def stop(self):
        pid = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 2)
        self.process.wait()


def run(command, check=True):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise SystemExit(f"exit status {done.returncode}: {command}\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def timed(server, command):
    server.psql("CHECKPOINT")  # nobody pays for what the one before left in memory
    os.sync()
    start = time.perf_counter()
    run(command)
    return time.perf_counter() - start


class Bench:
    def __init__(self, args, server, folder):
        self.args, self.server, self.folder = args, server, folder
        self.data = folder / "orders.ndjson"
        run([args.bench_data, "orders", str(args.records), str(self.data)])

    def longshore(self, *more):
        return [self.args.longshore, *more, "--data-dir", str(self.folder / "state")]

    def load(self):
        return self.longshore("load", str(self.data), "--table", "orders", "--destination", self.server.url(),
                              "--dataset", "raw", "--pipeline", "bench")  # fmt: skip

    def fresh(self, existing):
        """An empty dataset, or one whose tables are there and empty."""
        self.server.psql("DROP SCHEMA IF EXISTS raw CASCADE", "DROP SCHEMA IF EXISTS raw_staging CASCADE")
        if existing:
            self.server.psql("CREATE SCHEMA raw", *[f"CREATE TABLE raw.{t} (LIKE finished.{t} INCLUDING ALL)" for t in TABLES])
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def finish_once(self):
        """The finished rows, as a dataset and as CSV."""
        self.fresh(existing=False)
        run(self.load())
        self.server.psql("ALTER SCHEMA raw RENAME TO finished")
        for table in TABLES:
            with open(self.folder / f"{table}.csv", "w") as out:
                subprocess.run(self.server.psql_command(f"COPY finished.{table} TO STDOUT (FORMAT csv)"), stdout=out, check=True)

    def check(self, schema):
        for table in TABLES:
            made, stored = (self.server.psql(f"SELECT count(*) FROM {s}.{table}") for s in ("finished", schema))
            if made != stored:
                raise SystemExit(f"{table}: {made} rows were made, {stored} are stored")

    def copy(self):
        self.server.psql("DROP SCHEMA IF EXISTS peer CASCADE", "CREATE SCHEMA peer",
                         *[f"CREATE TABLE peer.{t} (LIKE finished.{t} INCLUDING ALL)" for t in TABLES])  # fmt: skip
        copies = [f"\\copy peer.{t} from '{self.folder}/{t}.csv' csv" for t in TABLES]
        seconds = timed(self.server, self.server.psql_command("BEGIN", *copies, "COMMIT"))
        self.check("peer")
        self.server.psql("DROP SCHEMA peer CASCADE")
        return seconds

    def step(self, existing):
        self.fresh(existing)
        self.server.psql(HOLD)
        run(self.load(), check=False)
        self.server.psql("DROP EVENT TRIGGER hold", "DROP SCHEMA IF EXISTS raw_staging CASCADE")
        seconds = timed(self.server, self.longshore("pipeline", "bench", "retry"))
        self.check("raw")
        return seconds

    def whole(self, existing):
        self.fresh(existing)
        seconds = timed(self.server, self.load())
        self.check("raw")
        return seconds

    def dlt(self, form):
        small = self.folder / "small.ndjson"
        if not small.exists():
            run([self.args.bench_data, "orders", str(self.args.dlt_records), str(small)])
        self.server.psql("DROP SCHEMA IF EXISTS dlt CASCADE")
        host = f"postgresql://postgres:trusted@127.0.0.1:{self.server.port}/postgres"
        out = run([self.args.dlt_python, str(HERE / "peers/peer_dlt_postgres.py"), str(small), host, form])
        return json.loads(out.splitlines()[-1])["seconds"]


def show(what, values):
    print(f"| {what} | {min(values):.2f} | {statistics.median(values):.2f} | {max(values):.2f} |", flush=True)


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--longshore", default=str(target / "release/longshore"))
    arguments.add_argument("--bench-data", default=str(target / "release/bench-data"))
    arguments.add_argument("--records", type=int, default=200_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--dlt-python", help="an interpreter with dlt[postgres,parquet] and orjson")
    arguments.add_argument("--dlt-records", type=int, default=20_000)
    arguments.add_argument("--dlt-forms", default="csv,insert_values,parquet", help="file formats of dlt, by comma")
    args = arguments.parse_args()
    programs = run([str(HERE.parent / "scripts/get-postgres")])
    with tempfile.TemporaryDirectory(prefix="bench-pg-") as folder:
        server = Server(programs, Path(folder))
        try:
            bench = Bench(args, server, Path(folder))
            bench.finish_once()
            runs = {"copy": [], "new": [], "existing": [], "whole, new": [], "whole, existing": []}
            for _ in range(args.rounds):
                runs["copy"].append(bench.copy())
                runs["new"].append(bench.step(existing=False))
                runs["existing"].append(bench.step(existing=True))
                runs["whole, new"].append(bench.whole(existing=False))
                runs["whole, existing"].append(bench.whole(existing=True))
            print("| seconds | min | median | max |\n|---|---:|---:|---:|")
            show("`psql \\copy` of CSV into existing tables", runs["copy"])
            for kind in ("new", "existing"):
                show(f"load step, {kind} tables", runs[kind])
                show(f"load step / `\\copy`, {kind} tables (target 1.2)", [a / b for a, b in zip(runs[kind], runs["copy"])])
                show(f"whole run, {kind} tables", runs[f"whole, {kind}"])
            for form in args.dlt_forms.split(",") if args.dlt_python else []:
                seconds = [bench.dlt(form) for _ in range(2)]
                show(f"dlt, {form}, {args.dlt_records} records, its own clock", seconds)
                factor = args.records / args.dlt_records
                whole = statistics.median(runs["whole, new"])
                show(f"time per record: dlt, {form} / longshore (target 25)", [s * factor / whole for s in seconds])
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
