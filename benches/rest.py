"""`longshore run` on a REST API against a plain HTTP client that only downloads the same pages.

usage: rest.py [--pages N] [--runs R] [--delay MILLISECONDS] [--throughput PROGRAM] [--curl]

A server of this machine gives N pages (10,000) of 100 records, each after the delay (2 ms; APIs take 20 and more). Runs are interleaved, after a warm-up; prints the median of
the ratios of times, and the peak memory of the run with a tenth of the pages and with all. Rows are counted after each run.
Needs: cargo build --release -p longshore-cli && cargo build --release -p longshore-source-rest --example throughput,
and a Python with duckdb (scripts/get-python). --throughput names another build of that example, --curl downloads with curl instead of with it.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = """
[sources.api]
type = "rest_api"
client = {{ base_url = "{url}" }}
[[sources.api.resources]]
name = "items"
[sources.api.resources.endpoint]
data_selector = "data"
paginator = {{ type = "page_number", base_page = 1, total_path = "pagination.total_pages" }}
"""


def target(name):
    folder = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "..", "target"))
    return os.path.join(folder, os.environ.get("LONGSHORE_BENCH_PROFILE", "release"), name)


class Pages:
    """A server of so many pages; ends with the block."""

    def __init__(self, args, pages):
        self.pages, self.delay, self.curl = pages, args.delay, args.curl
        self.program = args.throughput or target("examples/throughput")

    def __enter__(self):
        command = [self.program, "serve", str(self.pages), str(self.delay)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def download(self):
        """Returns the seconds that one connection takes for all pages, one after the other."""
        if self.curl:
            start = time.perf_counter()
            subprocess.run(["curl", "-sS", "-o", os.devnull, f"{self.url}/items?page=[1-{self.pages}]"], check=True)
            return time.perf_counter() - start
        done = subprocess.run([self.program, "plain", self.url, str(self.pages)], check=True, capture_output=True, text=True)
        return float(done.stdout.split()[1])

    def run(self, folder):
        """Returns seconds and peak memory in MB."""
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        with open(os.path.join(folder, "longshore.toml"), "w") as file:
            file.write(PROJECT.format(url=self.url))
        command = [target("longshore"), "run", "--progress", "off", "--data-dir", os.path.join(folder, "data")]
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit("longshore failed")
        import duckdb

        with duckdb.connect(os.path.join(folder, "api.duckdb"), read_only=True) as database:
            rows = database.sql("SELECT count(DISTINCT id) FROM api_dataset.items").fetchone()[0]
        if rows != self.pages * 100:
            sys.exit(f"{rows} rows instead of {self.pages * 100}")
        return seconds, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--delay", type=int, default=2)
    parser.add_argument("--throughput")
    parser.add_argument("--curl", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        folder = os.path.join(work, "run")
        with Pages(args, max(args.pages // 10, 1)) as few:
            few.download()
            _, small = few.run(folder)
        ratios, peak = [], 0
        with Pages(args, args.pages) as pages:
            for _ in range(args.runs):
                plain = pages.download()
                seconds, memory = pages.run(folder)
                peak = max(peak, memory)
                ratios.append(seconds / plain)
                print(f"plain {plain:.2f} s, run {seconds:.2f} s, ratio {seconds / plain:.3f}, {memory:.0f} MB")
    print(f"median ratio {statistics.median(ratios):.3f}; peak memory {small:.0f} MB with a tenth of the pages, {peak:.0f} MB with all")


if __name__ == "__main__":
    main()
