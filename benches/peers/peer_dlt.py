"""dlt loading NDJSON into DuckDB, in its fastest setting: peer_dlt.py IN.ndjson OUT.duckdb [--table T] [--default].

Fastest means: records parsed by orjson and yielded in pages of 5,000, load files in Parquet.
`--default` is what a first script does: one record at a time from the standard json module, dlt's own file format.
Prints one line of JSON; the seconds are those of `pipeline.run`, without Python's start and dlt's import.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import dlt
import orjson

PAGE = 5000


def pages(path):
    page = []
    with open(path, "rb") as file:
        for line in file:
            page.append(orjson.loads(line))
            if len(page) == PAGE:
                yield page
                page = []
    if page:
        yield page


def records(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def peak_rss_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("source")
    arguments.add_argument("out")
    arguments.add_argument("--table", default="orders")
    arguments.add_argument("--default", action="store_true", help="dlt's default setting instead of its fastest")
    args = arguments.parse_args()

    if os.path.exists(args.out):
        os.remove(args.out)
    with tempfile.TemporaryDirectory() as state:
        pipeline = dlt.pipeline(
            "peer", destination=dlt.destinations.duckdb(args.out), dataset_name="raw", pipelines_dir=state
        )
        start = time.perf_counter()
        if args.default:
            pipeline.run(records(args.source), table_name=args.table)
        else:
            pipeline.run(pages(args.source), table_name=args.table, loader_file_format="parquet")
        seconds = time.perf_counter() - start
        counts = pipeline.last_trace.last_normalize_info.row_counts
    rows = {table: count for table, count in counts.items() if not table.startswith("_dlt")}
    print(json.dumps({"seconds": round(seconds, 3), "peak_rss_mb": peak_rss_mb(), "rows": rows}))


if __name__ == "__main__":
    main()
