#!/usr/bin/env python3
"""What merging 1% changed records into a dataset of a million rows costs, beside SQL written by hand.

Makes orders with `bench-data` (one root table, five child tables), loads them, and merges the changed ones into fresh
copies of that dataset, in turn: by Longshore's load step (`longshore pipeline NAME replay`: a sealed package into the
database), and by SQL that knows these tables, from the same finished rows (DuckDB: Python, from Parquet files;
PostgreSQL: `psql` with `\\copy` of CSV). Both are whole processes from outside; for DuckDB also the SQL's own clock from
connecting to closing, without Python's start. Two strategies: `delete-insert` beside DELETE and INSERT; `upsert` beside
MERGE for the root, DELETE and INSERT for children.
Afterwards every table must have the same rows both ways.
Runs in an interpreter with DuckDB (scripts/get-python). Exit status: 0 measured, 1 a command failed or contents differ.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from postgres import TABLES, Server, run

HERE = Path(__file__).resolve().parent
ROOT, CHILDREN = TABLES[0], TABLES[1:]
KEY = "id"


def statements(strategy, columns, staged, fill):
    """What somebody who knows the tables would write. `staged(table)` is where new rows are, `fill(table)` inserts them."""
    doomed = f"CREATE TEMPORARY TABLE doomed AS SELECT _row_id FROM raw.{ROOT} WHERE {KEY} IN (SELECT {KEY} FROM {staged(ROOT)})"
    children = [f"DELETE FROM raw.{c} WHERE _root_id IN (SELECT _row_id FROM doomed)" for c in CHILDREN]
    if strategy == "upsert":
        names = columns[ROOT]
        root = [
            f"MERGE INTO raw.{ROOT} t USING {staged(ROOT)} s ON t.{KEY} = s.{KEY} "
            f"WHEN MATCHED THEN UPDATE SET {', '.join(f'{n} = s.{n}' for n in names)} "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{n}' for n in names)})"
        ]
    else:
        root = [f"DELETE FROM raw.{ROOT} WHERE _row_id IN (SELECT _row_id FROM doomed)", *fill(ROOT)]
    return [doomed, *children, *root, *[s for c in CHILDREN for s in fill(c)]]


# What the process of the SQL by hand does, in DuckDB: it prints its own clock.
BY_HAND = """
import json, sys, time
import duckdb
start = time.perf_counter()
c = duckdb.connect(sys.argv[1])
for statement in json.loads(sys.argv[2]):
    c.execute(statement)
c.close()
print(time.perf_counter() - start)
"""


class Duck:
    """Copies of one database file."""

    name = "DuckDB"

    def __init__(self, folder):
        import duckdb

        self.duckdb, self.folder = duckdb, folder
        self.base = folder / "base.duckdb"

    def url(self, name):
        return f"duckdb:{self.folder / name}.duckdb"

    def fresh(self, name):
        for old in self.folder.glob(f"{name}.duckdb*"):
            old.unlink()
        shutil.copyfile(self.base, self.folder / f"{name}.duckdb")
        os.sync()

    def ask(self, name, sql):
        with self.duckdb.connect(str(self.folder / f"{name}.duckdb"), read_only=True) as c:
            return c.sql(sql).fetchall()

    def keep_finished(self, name, load):
        """The rows that a load brought, as files."""
        with self.duckdb.connect(str(self.folder / f"{name}.duckdb"), read_only=True) as c:
            self.columns = {t: [r[0] for r in c.sql(f"DESCRIBE raw.{t}").fetchall()] for t in TABLES}
            for t in TABLES:
                c.sql(f"COPY (FROM raw.{t} WHERE _load_id = '{load}') TO '{self.folder}/{t}.parquet'")

    def by_hand(self, name, strategy):
        """Seconds of the whole process, and by its own clock."""
        staged = lambda t: f"'{self.folder}/{t}.parquet'"
        sql = statements(strategy, self.columns, staged, lambda t: [f"INSERT INTO raw.{t} FROM {staged(t)}"])
        command = [sys.executable, "-c", BY_HAND, str(self.folder / f"{name}.duckdb"), json.dumps(["BEGIN", *sql, "COMMIT"])]
        start = time.perf_counter()
        own = float(run(command))
        return time.perf_counter() - start, own

    def digest(self, name, table):
        return self.ask(name, f"SELECT count(*), md5(string_agg(t::VARCHAR, '' ORDER BY _row_id)) FROM raw.{table} t")

    def stop(self):
        pass


class Postgres:
    """Copies of one database of a server of its own, with default settings."""

    name = "PostgreSQL"

    def __init__(self, folder):
        self.folder = folder
        self.server = Server(run([str(HERE.parent / "scripts/get-postgres")]), folder)
        self.server.psql("CREATE DATABASE base")

    def url(self, name):
        return f"postgres://postgres@{str(self.folder).replace('/', '%2F')}:{self.server.port}/{name}"

    def command(self, name, *parts):
        return [*self.server.psql_command(*parts), "-d", name]

    def fresh(self, name):
        self.server.psql(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name} TEMPLATE base STRATEGY file_copy")
        run(self.command(name, "CHECKPOINT"))
        os.sync()

    def rest(self):
        """What autovacuum would do in a while."""
        run(self.command("base", "VACUUM ANALYZE"))

    def ask(self, name, sql):
        return [line.split("|") for line in run(self.command(name, sql)).splitlines()]

    def keep_finished(self, name, load):
        columns = f"SELECT attname FROM pg_attribute WHERE attrelid = 'raw.%s'::regclass AND attnum > 0 ORDER BY attnum"
        self.columns = {t: [r[0] for r in self.ask(name, columns % t)] for t in TABLES}
        for t in TABLES:
            with open(self.folder / f"{t}.csv", "w") as out:
                copy = f"COPY (SELECT * FROM raw.{t} WHERE _load_id = '{load}') TO STDOUT (FORMAT csv)"
                subprocess.run(self.command(name, copy), stdout=out, check=True)

    def by_hand(self, name, strategy):
        copy = lambda into, t: f"\\copy {into} from '{self.folder}/{t}.csv' csv"
        stage = [f"CREATE TEMPORARY TABLE staged (LIKE raw.{ROOT})", copy("staged", ROOT)]
        fill = lambda t: [f"INSERT INTO raw.{ROOT} SELECT * FROM staged"] if t == ROOT else [copy(f"raw.{t}", t)]
        sql = statements(strategy, self.columns, lambda _: "staged", fill)
        command = self.command(name, "BEGIN", *stage, *sql, "COMMIT")
        start = time.perf_counter()
        run(command)
        return time.perf_counter() - start, None

    def digest(self, name, table):
        return self.ask(name, f"SELECT count(*), md5(string_agg(t::text, '' ORDER BY _row_id)) FROM raw.{table} t")

    def stop(self):
        self.server.stop()


class Bench:
    def __init__(self, args, place, folder, strategy):
        self.args, self.place, self.folder, self.strategy = args, place, folder, strategy

    def longshore(self, *more):
        state = ["--data-dir", str(self.folder / f"state-{self.place.name}-{self.strategy}")]
        return run([self.args.longshore, *more, *state, "--progress", "off"] if more[0] != "pipeline" else [self.args.longshore, *more, *state])

    def load(self, source, name, *more):
        self.longshore("load", str(self.folder / source), "--table", ROOT, "--destination", self.place.url(name),
                       "--dataset", "raw", "--pipeline", "bench", *more)  # fmt: skip

    def prepare(self, is_first):
        """The dataset, the sealed package, and its rows as files."""
        if is_first:
            self.load("base.ndjson", "base")
            shutil.copytree(self.folder / f"state-{self.place.name}-{self.strategy}", self.folder / f"state-{self.place.name}")
            if hasattr(self.place, "rest"):
                self.place.rest()
        else:
            shutil.copytree(self.folder / f"state-{self.place.name}", self.folder / f"state-{self.place.name}-{self.strategy}")
        self.place.fresh("first")
        self.load("changed.ndjson", "first", "--write-disposition", "merge", "--primary-key", KEY,
                  "--merge-strategy", self.strategy, "--keep-packages", "1")  # fmt: skip
        load = self.place.ask("first", "SELECT max(load_id) FROM raw._loads")[0][0]
        self.place.keep_finished("first", load)

    def ours(self):
        self.place.fresh("ours")
        start = time.perf_counter()
        self.longshore("pipeline", "bench", "replay", "--to", self.place.url("ours"))
        return time.perf_counter() - start

    def by_hand(self):
        self.place.fresh("hand")
        return self.place.by_hand("hand", self.strategy)

    def compare(self):
        rows = 0
        for table in TABLES:
            ours, hand = (self.place.digest(name, table) for name in ("ours", "hand"))
            if ours != hand:
                raise SystemExit(f"{self.place.name}, {self.strategy}, {table}: {ours} by longshore, {hand} by hand")
            rows += int(ours[0][0])
        changed = int(self.place.ask("ours", f"SELECT count(*) FROM raw.{ROOT} WHERE _load_id = (SELECT max(load_id) FROM raw._loads)")[0][0])
        if changed != self.args.records // 100:
            raise SystemExit(f"{changed} records were changed, not {self.args.records // 100}")
        return rows


def changed(folder, args):
    """Every hundredth record with its key and other content: that of another seed."""
    run([args.bench_data, "orders", str(args.records), str(folder / "base.ndjson")])
    run([args.bench_data, "orders", str(args.records), str(folder / "other.ndjson"), "--seed", "8"])
    with open(folder / "other.ndjson", "rb") as other, open(folder / "changed.ndjson", "wb") as out:
        out.writelines(line for i, line in enumerate(other) if i % 100 == 7)
    (folder / "other.ndjson").unlink()


def show(what, values):
    print(f"| {what} | {min(values):.3f} | {statistics.median(values):.3f} | {max(values):.3f} |", flush=True)


def measure(bench, rounds):
    ours, hand, own = [], [], []
    for number in range(rounds + 1):
        pair = (bench.ours(), bench.by_hand()) if number % 2 else (bench.by_hand(), bench.ours())[::-1]
        if number:  # the first warms up
            ours.append(pair[0])
            hand.append(pair[1][0])
            own.append(pair[1][1])
    rows = bench.compare()
    what = f"{bench.place.name}, {bench.strategy}"
    show(f"{what}: load step, seconds", ours)
    show(f"{what}: SQL by hand, seconds", hand)
    show(f"{what}: load step / SQL (target 1.3)", [a / b for a, b in zip(ours, hand)])
    if None not in own:
        show(f"{what}: SQL by hand without Python's start, seconds", own)
        show(f"{what}: load step / SQL without Python's start", [a / b for a, b in zip(ours, own)])
    return rows


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent / "target"))
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--longshore", default=str(target / "release/longshore"))
    arguments.add_argument("--bench-data", default=str(target / "release/bench-data"))
    arguments.add_argument("--records", type=int, default=86_500, help="root rows; a record is 11.6 rows")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--places", default="duckdb,postgres")
    arguments.add_argument("--strategies", default="delete-insert,upsert")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-merge-") as name:
        folder = Path(name)
        os.chmod(folder, 0o755)  # PostgreSQL runs as another user where we are root
        changed(folder, args)
        print("| | min | median | max |\n|---|---:|---:|---:|")
        for kind in args.places.split(","):
            inside = folder / kind
            inside.mkdir()
            place = {"duckdb": Duck, "postgres": Postgres}[kind](inside)
            try:
                for number, strategy in enumerate(args.strategies.split(",")):
                    bench = Bench(args, place, folder, strategy)
                    bench.prepare(is_first=number == 0)
                    rows = measure(bench, args.rounds)
            finally:
                place.stop()
        print(f"\n{rows} rows in {len(TABLES)} tables, of which {args.records // 100} records were changed; contents are equal.")


if __name__ == "__main__":
    sys.exit(main())
