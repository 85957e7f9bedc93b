#!/usr/bin/env python3
"""Whole-process comparison of Longshore with hand-written DuckDB SQL and with dlt, in one run on one machine.

Makes its data with `bench-data`, runs the pairs interleaved (A B A B ...) after one warm-up each, measures every process
from outside, counts the rows that each one really stored, and prints ratios with their spread. Standard library only;
the peers run in an interpreter that has benches/peers/requirements.txt (--python).
Exit status: 0 measured (whether or not a target was met), 1 a command failed or row counts disagree, 2 wrong usage.
"""

import argparse
import datetime
import json
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"

# Records per shape: for Longshore (and SQL), and for dlt, whose cost is linear and high.
SIZES = {"orders": (200_000, 20_000), "events": (50_000, 5_000), "tree": (100_000, 10_000)}
QUICK_SIZES = {"orders": (5_000, 500), "events": (500, 100), "tree": (1_000, 200)}
LARGE_FACTOR = 10


class Failed(Exception):
    """A command did not work, or its result is wrong."""


# ---------------------------------------------------------------- one process


def run(command, folder, timeout):
    """Runs a command to its end and returns what it cost, seen from outside."""
    os.sync()  # nobody pays for writing back what the one before left in memory
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        start = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=folder)
        timer = threading.Timer(timeout, child.kill)
        timer.daemon = True
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode != 0:
            tail = err.read()[-2000:].decode(errors="replace")
            raise Failed(f"exit status {child.returncode} after {wall:.1f} s: {shlex.join(command)}\n{tail}")
        return {
            "wall": wall,
            "cpu": usage.ru_utime + usage.ru_stime,
            "rss_mb": usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024),
            "stdout": out.read().decode(errors="replace"),
        }


def run_small(command):
    """Runs a helper whose cost nobody counts; returns its standard output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failed(f"{shlex.join(command)}: {error}") from error
    if done.returncode != 0:
        raise Failed(f"exit status {done.returncode}: {shlex.join(command)}\n{done.stderr[-2000:]}")
    return done.stdout


# ---------------------------------------------------------------- the contestants


class Bench:
    def __init__(self, args, folder):
        self.args = args
        self.folder = folder
        self.out = folder / "out.duckdb"
        self.data = {}

    def make(self, shape, records):
        """The file with so many records, made once; what bench-data says about it, and its path."""
        if (shape, records) not in self.data:
            path = self.folder / f"{shape}-{records}.ndjson"
            command = [*self.args.data_cmd, shape, str(records), str(path), "--seed", str(self.args.seed)]
            self.data[shape, records] = {**json.loads(run_small(command)), "path": str(path)}
        return self.data[shape, records]

    def drop(self, data):
        del self.data[data["shape"], data["records"]]
        os.remove(data["path"])

    def clean(self):
        for path in self.folder.glob("out.duckdb*"):
            path.unlink()
        shutil.rmtree(self.folder / "state", ignore_errors=True)

    def longshore(self, data):
        return [
            *self.args.longshore_cmd, "load", data["path"], "--table", data["shape"],
            "--destination", f"duckdb:///{self.out}", "--dataset", "raw", "--data-dir", str(self.folder / "state"),
        ]  # fmt: skip

    def sql(self, data):
        return [self.args.python, str(HERE / "peers/peer_duckdb_sql.py"), data["path"], str(self.out)]

    def dlt(self, data):
        return [
            self.args.python, str(HERE / "peers/peer_dlt.py"), data["path"], str(self.out), "--table", data["shape"],
        ]  # fmt: skip

    def measure(self, who, data):
        """Runs one contestant on an empty destination and checks the rows it stored."""
        self.clean()
        result = run(getattr(self, who)(data), self.folder, self.args.timeout)
        counted = run_small([self.args.python, str(HERE / "peers/count_rows.py"), str(self.out), "raw"])
        rows = {table: count for table, count in json.loads(counted).items() if count}
        if rows != data["rows"]:
            wrong = sorted(
                f"{table}: {data['rows'].get(table, 0)} made, {rows.get(table, 0)} stored"
                for table in data["rows"].keys() | rows.keys()
                if data["rows"].get(table) != rows.get(table)
            )
            raise Failed(f"{who} on {Path(data['path']).name}: row counts disagree\n  " + "\n  ".join(wrong))
        if who != "longshore":
            result["own_seconds"] = json.loads(result["stdout"].splitlines()[-1])["seconds"]
        del result["stdout"]
        result["bytes"] = data["bytes"]
        say(f"  {who:<9} {data['shape']} {data['bytes'] / 1e6:7.1f} MB  {describe(result)}")
        return result

    def pair(self, first, first_data, second, second_data):
        """A B A B ..., after one warm-up of each."""
        runs = {first: [], second: []}
        for number in range(self.args.rounds + 1):
            say("warm-up" if number == 0 else f"round {number} of {self.args.rounds}")
            for who, data in [(first, first_data), (second, second_data)]:
                result = self.measure(who, data)
                if number > 0:
                    runs[who].append(result)
        return runs[first], runs[second]

    def startup(self, command, times):
        """Wall time in milliseconds of a command that hardly works; the first run is a warm-up."""
        walls = []
        for _ in range(times + 1):
            self.clean()
            walls.append(run(command, self.folder, self.args.timeout)["wall"] * 1000)
        return spread(walls[1:])


# ---------------------------------------------------------------- numbers


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def ratios(top, bottom):
    """Round by round, so that what disturbs one round disturbs both of its runs."""
    return spread([a / b for a, b in zip(top, bottom)])


def per_byte(runs, clock="wall"):
    return [result[clock] / result["bytes"] for result in runs]


def column(runs, key):
    return [result[key] for result in runs]


def summary(runs):
    return {
        "megabytes": runs[0]["bytes"] / 1e6,
        "wall_s": spread(column(runs, "wall")),
        "cpu_s": spread(column(runs, "cpu")),
        "peak_rss_mb": spread(column(runs, "rss_mb")),
        "mb_per_s": spread([result["bytes"] / 1e6 / result["wall"] for result in runs]),
    }


def row(what, value, unit, target=None, at_least=False):
    """A line of the table of results; its median is what a target is held against."""
    met = None
    if target is not None:
        met = value["median"] >= target if at_least else value["median"] <= target
    return {"what": what, **value, "unit": unit, "target": target, "at_least": at_least, "met": met}


# ---------------------------------------------------------------- the whole comparison


def compare(bench, args):
    sizes = dict(QUICK_SIZES if args.quick else SIZES)
    if args.records or args.dlt_records:
        big, small = sizes["orders"]
        sizes["orders"] = (args.records or big, args.dlt_records or small)
    rows, runs = [], {}

    say("# orders: longshore and hand-written SQL")
    orders = bench.make("orders", sizes["orders"][0])
    ours, sql = bench.pair("longshore", orders, "sql", orders)
    runs["longshore, orders"], runs["SQL, orders"] = summary(ours), summary(sql)
    rows.append(row("time: longshore / SQL", ratios(column(ours, "wall"), column(sql, "wall")), "x", 0.8))
    own = ratios(column(ours, "wall"), column(sql, "own_seconds"))
    rows.append(row("time: longshore / SQL, without Python's start", own, "x", 0.8))
    rows.append(row("processor time: longshore / SQL", ratios(column(ours, "cpu"), column(sql, "cpu")), "x"))
    memory = spread(column(ours, "rss_mb"))
    rows.append(row("peak memory: longshore", memory, "MB", 300))

    for shape, (big, small) in sizes.items():
        say(f"# {shape}: longshore and dlt")
        ours, dlt = bench.pair("longshore", bench.make(shape, big), "dlt", bench.make(shape, small))
        runs[f"dlt, {shape}"] = summary(dlt)
        if shape != "orders":
            runs[f"longshore, {shape}"] = summary(ours)
            rows.append(row(f"peak memory: longshore, {shape}", spread(column(ours, "rss_mb")), "MB", 300))
        target = 40 if shape == "orders" else None
        whole = ratios(per_byte(dlt), per_byte(ours))
        rows.append(row(f"time per byte: dlt / longshore, {shape}", whole, "x", target, at_least=True))
        own = ratios(per_byte(dlt, "own_seconds"), per_byte(ours))
        what = f"time per byte: dlt / longshore, {shape}, without Python's start and imports"
        rows.append(row(what, own, "x", target, at_least=True))

    say("# longshore: start")
    one = bench.make("orders", 1)
    times = 3 if args.quick else 20
    rows.append(row("start: longshore --help", bench.startup([*args.longshore_cmd, "--help"], times), "ms", 30))
    rows.append(row("start: load of one record", bench.startup(bench.longshore(one), times), "ms", 100))

    say(f"# longshore: a file {LARGE_FACTOR} times as large")
    large = bench.make("orders", orders["records"] * LARGE_FACTOR)
    result = bench.measure("longshore", large)
    bench.drop(large)
    runs[f"longshore, orders x {LARGE_FACTOR}"] = summary([result])
    rows.append(row(f"peak memory: longshore, file x {LARGE_FACTOR}", spread([result["rss_mb"]]), "MB", 300))
    growth = spread([result["rss_mb"] / memory["median"]])
    rows.append(row(f"peak memory: file x {LARGE_FACTOR} / file", growth, "x", 1.1))
    return {"results": rows, "runs": runs, "rounds": args.rounds, "quick": args.quick}


# ---------------------------------------------------------------- machine and versions


def machine():
    model, memory = platform.processor() or platform.machine(), None
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (OSError, ValueError):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": model,
        "cores": cores,
        "memory_gib": memory and round(memory, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
    }


def versions(args):
    script = (
        "import json, platform, importlib.metadata as m;"
        "found = {p: m.version(p) for p in ('dlt', 'duckdb', 'pyarrow')};"
        "print(json.dumps({'python': platform.python_version(), **found}))"
    )
    try:
        peers = json.loads(run_small([args.python, "-c", script]))
    except Failed as failed:
        raise Failed(
            f"{args.python} lacks what the peers need: pip install -r benches/peers/requirements.txt"
        ) from failed
    try:
        longshore = run_small([*args.longshore_cmd, "--version"]).strip()
    except Failed:
        longshore = "unknown"
    return {"longshore": longshore, **peers}


# ---------------------------------------------------------------- telling it


def say(text):
    print(text, file=sys.stderr, flush=True)


def describe(result):
    return f"{result['wall']:7.2f} s  {result['cpu']:7.2f} s cpu  {result['rss_mb']:6.0f} MB peak"


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(result, quick):
    if result["target"] is None:
        return "", ""
    bound = f"{'>=' if result['at_least'] else '<='} {result['target']:g}"
    return bound, "not judged" if quick else "met" if result["met"] else "**missed**"


def markdown(report):
    host, used = report["machine"], report["versions"]
    lines = [
        f"Measured on {report['date']}: {host['cpu']}, {host['cores']} cores, {host['memory_gib']} GiB, "
        f"{host['kernel']}; load average before the start {host['load_before']}. "
        f"{used['longshore']}; dlt {used['dlt']}, DuckDB {used['duckdb']} and PyArrow {used['pyarrow']} "
        f"on Python {used['python']}. {report['rounds']} rounds after one warm-up.",
        "",
    ]
    if report["quick"]:
        lines += ["A smoke run on tiny files (`--quick`): the numbers mean nothing.", ""]
    lines += ["| | unit | min | median | max | target | |", "|---|---|---:|---:|---:|---|---|"]
    for result in report["results"]:
        bound, met = verdict(result, report["quick"])
        values = " | ".join(number(result[key]) for key in ("min", "median", "max"))
        lines.append(f"| {result['what']} | {result['unit']} | {values} | {bound} | {met} |")
    lines += ["", "| medians | input, MB | wall, s | processor, s | MB/s | peak memory, MB |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for who, result in report["runs"].items():
        keys = ("wall_s", "cpu_s", "mb_per_s", "peak_rss_mb")
        values = " | ".join(number(result[key]["median"]) for key in keys)
        lines.append(f"| {who} | {number(result['megabytes'])} | {values} |")
    return "\n".join(lines) + "\n"


def write_docs(path, text):
    """Replaces what stands between the two markers."""
    page = path.read_text(encoding="utf-8")
    before, found_begin, rest = page.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not (found_begin and found_end):
        raise Failed(f"{path} lacks the markers {BEGIN} and {END}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


# ---------------------------------------------------------------- arguments


def built(name):
    return str(Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "release" / name)


def arguments():
    venv = REPOSITORY / ".venv/bin/python"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds of each pair (5; 2 with --quick)")
    parser.add_argument("--records", type=int, help="orders for longshore and SQL (200000)")
    parser.add_argument("--dlt-records", type=int, help="orders for dlt (20000)")
    parser.add_argument("--seed", type=int, default=7, help="of the data (7)")
    parser.add_argument("--quick", action="store_true", help="a smoke run on tiny files; no target is judged")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every number to this file")
    parser.add_argument("--write-docs", type=Path, metavar="PAGE", help=f"put the tables between {BEGIN} and {END}")
    parser.add_argument("--work-dir", type=Path, help="where data and databases go (a new temporary folder)")
    parser.add_argument("--python", default=str(venv) if venv.exists() else sys.executable, help="runs the peers")
    parser.add_argument("--longshore-cmd", type=shlex.split, default=[built("longshore")],
                        help="instead of target/release/longshore")
    parser.add_argument("--data-cmd", type=shlex.split, default=[built("bench-data")],
                        help="instead of target/release/bench-data")
    parser.add_argument("--timeout", type=float, default=900, help="seconds after which a run is killed (900)")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    if min(args.rounds, args.records or 1, args.dlt_records or 1) < 1:
        parser.error("rounds and records are counted from one")
    # Runs have a folder of their own, so commands must not depend on this one.
    for command in (args.longshore_cmd, args.data_cmd):
        found = shutil.which(command[0])
        if not found:
            parser.error(f"{command[0]} is missing: cargo build --release")
        command[0] = os.path.abspath(found)
    # Not resolved: a virtual environment's python is a link, and works by being called under its own name.
    args.python = os.path.abspath(shutil.which(args.python) or args.python)
    return args


def main():
    args = arguments()
    try:
        report = {"date": datetime.date.today().isoformat(), "machine": machine(), "versions": versions(args)}
        if args.work_dir:
            args.work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="longshore-bench-", dir=args.work_dir) as folder:
            report.update(compare(Bench(args, Path(folder).resolve()), args))
        text = markdown(report)
        print(text)
        if args.json:
            args.json.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if args.write_docs:
            write_docs(args.write_docs, text)
    except Failed as failed:
        say(f"compare.py: {failed}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
