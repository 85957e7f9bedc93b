"""Load every input of a corpus with dlt: load_with_dlt.py CORPUS_DIR OUT_DIR [--format parquet|insert_values|jsonl] [--only TEXT]

Writes OUT_DIR/NNN-name.duckdb, dataset `diff`, one file per input. An input is `name.json` (one JSON value, or several
one after the other) or `name.ndjson` (a value a line), read with Python's own `json` as a dlt user would; a value
that is a list is yielded as it is, so dlt takes it for a page of records. A sidecar `name.args` holds command line
flags of `longshore load`, of which `--max-nesting` and `--table` mean something here.

Parquet is the format between dlt's steps, not DuckDB's default `insert_values`: its SQL literals lose the sign of -0.0,
the last bit of some doubles, and NUL characters (README.md has the measurements).
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

DATASET = "diff"
PIPELINE = "diff"
SUFFIXES = (".json", ".ndjson")


def inputs(corpus, only=None):
    """The inputs of a corpus, in order of name."""
    return sorted(p for p in Path(corpus).iterdir() if p.suffix in SUFFIXES and (not only or only in p.name))


def sidecar_args(path):
    """The extra flags of an input, as a list of words."""
    sidecar = path.with_suffix(".args")
    return shlex.split(sidecar.read_text(), comments=True) if sidecar.exists() else []


def settings(path):
    """What the sidecar says, for dlt: (table, max_nesting or None)."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="items")
    parser.add_argument("--max-nesting", type=int)
    known, _ = parser.parse_known_args(sidecar_args(path))
    return known.table, known.max_nesting


def values(path):
    """The JSON values of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ndjson":
        for line in text.split("\n"):
            if line.strip():
                yield json.loads(line)
        return
    decoder, at = json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield value


def quiet_environment(home):
    """Keep dlt from reading anybody's configuration and from talking; must run before dlt is imported."""
    os.environ.update(
        DLT_DATA_DIR=f"{home}/data",
        DLT_PROJECT_DIR=f"{home}/project",
        DLT_CONFIG_FOLDER=".dlt",
        RUNTIME__DLTHUB_TELEMETRY="false",
        RUNTIME__LOG_LEVEL="CRITICAL",
        TZ="UTC",
    )
    os.makedirs(f"{home}/project", exist_ok=True)
    os.chdir(f"{home}/project")


def load(path, out, loader_file_format="parquet"):
    """Load one input into the DuckDB file `out`. Raises what dlt raises."""
    import dlt

    table, max_nesting = settings(path)

    @dlt.resource(name=table, table_name=table, max_table_nesting=max_nesting)
    def resource():
        yield from values(path)

    out = Path(out)
    for old in (out, out.with_name(out.name + ".wal")):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as pipelines_dir:
        pipeline = dlt.pipeline(
            PIPELINE,
            pipelines_dir=pipelines_dir,
            destination=dlt.destinations.duckdb(str(out)),
            dataset_name=DATASET,
        )
        pipeline.run(resource(), loader_file_format=loader_file_format)


def _worker(job):
    path, out, loader_file_format = job
    try:
        load(path, out, loader_file_format)
        return path.name, None
    except BaseException as error:  # one bad input must not hide the others
        cause = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        if os.environ.get("DIFF_TRACEBACK"):
            traceback.print_exc()
        return path.name, f"{type(error).__name__}: {type(cause).__name__}: {' '.join(str(cause).split())[:500]}"


def _initialise(home):
    quiet_environment(home)
    import warnings

    warnings.simplefilter("ignore")


def load_all(corpus, out_dir, loader_file_format="parquet", only=None, workers=2):
    """Load a whole corpus; {input name: None or the error}."""
    out_dir = Path(out_dir).absolute()
    out_dir.mkdir(parents=True, exist_ok=True)
    jobs = [(p.absolute(), out_dir / f"{p.stem}.duckdb", loader_file_format) for p in inputs(corpus, only)]
    with tempfile.TemporaryDirectory(prefix="dlt-home-") as home:
        with ProcessPoolExecutor(workers, initializer=_initialise, initargs=(home,)) as pool:
            return dict(pool.map(_worker, jobs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", metavar="CORPUS_DIR")
    parser.add_argument("out", metavar="OUT_DIR")
    parser.add_argument("--format", default="parquet", choices=["parquet", "insert_values", "jsonl"])
    parser.add_argument("--only", help="only inputs whose name contains this text")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    results = load_all(args.corpus, args.out, args.format, args.only, args.workers)
    failed = {name: error for name, error in results.items() if error}
    for name, error in failed.items():
        print(f"{name}: {error}")
    print(f"{len(results) - len(failed)} loaded, {len(failed)} failed")
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
