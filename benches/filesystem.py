"""Longshore and dlt writing the same orders as Parquet files: filesystem.py [--records N] [--runs R] [--server PATH]

Longshore loads N orders (200,000) into a local folder and, with --server (the example `serve_s3` of
destinations/filesystem, built with --release), into an S3 server of this machine; dlt loads a tenth of them with
its filesystem destination in its fastest setting (orjson, pages, Parquet) and is compared per byte.
Runs are interleaved, after a warm-up. Prints seconds and ratios; rows are counted after each run with DuckDB.
Needs: cargo build --release -p longshore-cli -p longshore-bench-data, and a Python with dlt[parquet,duckdb] (scripts/get-python).
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

HERE = os.path.dirname(os.path.abspath(__file__))
DLT = """
import os, sys, time
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
import dlt
sys.path.insert(0, os.path.join(sys.argv[3], "peers"))
from peer_dlt import pages
pipeline = dlt.pipeline("peer", destination=dlt.destinations.filesystem("file://" + sys.argv[2]), dataset_name="raw", pipelines_dir=sys.argv[2] + ".state")
start = time.perf_counter()
pipeline.run(pages(sys.argv[1]), table_name="orders", loader_file_format="parquet")
print(time.perf_counter() - start)
"""


def target(name):
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "..", "target")), "release", name)


def generate(records, out):
    subprocess.run([target("bench-data"), "orders", str(records), out], check=True, stdout=subprocess.DEVNULL)
    return os.path.getsize(out)


def longshore(source, url, env, work):
    shutil.rmtree(work, ignore_errors=True)
    command = [target("longshore"), "load", source, "--table", "orders", "--destination", url, "--dataset", "raw", "--data-dir", work, "--progress", "off", "--json"]
    start = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"longshore failed: {done.stderr}")
    return seconds


def rows(folder):
    import duckdb

    return duckdb.sql(f"SELECT count(*) FROM read_parquet('{folder}/raw/orders/*.parquet')").fetchone()[0]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--records", type=int, default=200_000)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--server")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as work:
        at = lambda name: os.path.join(work, name)
        size = generate(args.records, at("orders.ndjson"))
        small = generate(args.records // 10, at("small.ndjson"))
        times = {"local": [], "s3": [], "dlt": []}
        server = subprocess.Popen([args.server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) if args.server else None
        env = {}
        if server:
            address, bucket, key, secret = server.stdout.readline().split()
            env = {"AWS_ENDPOINT_URL": f"http://{address}", "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        for run in range(args.runs + 1):
            folder = at(f"local-{run}")
            os.sync()
            seconds = {"local": longshore(at("orders.ndjson"), folder, {}, at("state"))}
            assert rows(folder) == args.records
            shutil.rmtree(folder)
            if server:
                os.sync()
                seconds["s3"] = longshore(at("orders.ndjson"), f"s3://{bucket}/run-{run}", env, at("state"))
            os.sync()
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", DLT, at("small.ndjson"), at(f"dlt-{run}"), HERE], check=True, stdout=subprocess.PIPE)
            seconds["dlt"] = time.perf_counter() - start
            assert rows(at(f"dlt-{run}")) == args.records // 10
            if run:
                for name, value in seconds.items():
                    times[name].append(value)
        if server:
            server.stdin.close()
    median = {name: statistics.median(values) for name, values in times.items() if values}
    ratio = (median["dlt"] / small) / (median["local"] / size)
    out = {"bytes": size, "dlt_bytes": small, "seconds": times, "median": median, "times_dlt_per_byte": round(ratio, 1)}
    if "s3" in median:
        out["s3_of_local"] = round(median["s3"] / median["local"], 2)
    print(json.dumps(out, indent=2))


if __name__ == "__main__":
    main()
