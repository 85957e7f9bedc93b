"""Load every input of corpus/ with dlt and with longshore and compare: run.py --longshore PATH_TO_BINARY [--only TEXT]

Prints a line per input, then `N passed, M failed`. Exits with 1 if anything differs or fewer than 60 inputs ran.
Needs the packages of requirements.txt. A folder given with --expected keeps dlt's files, and is used again as it is.
"""

import argparse
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from compare import MAX_DIFFERENCES, differences
from load_with_dlt import DATASET, PIPELINE, inputs, load_all, settings, sidecar_args

HERE = Path(__file__).parent
MIN_INPUTS = 60
TIMEOUT = 120


def load_with_longshore(binary, path, out, threads=None):
    """Load one input with longshore; None or the error."""
    flags = sidecar_args(path)
    if "--table" not in flags:
        flags += ["--table", settings(path)[0]]
    if threads:
        flags += ["--threads", str(threads)]
    out = Path(out).absolute()
    with tempfile.TemporaryDirectory() as data_dir:
        command = [
            *[str(binary), "load", str(path.absolute())],
            *["--pipeline", PIPELINE, "--dataset", DATASET, "--destination", f"duckdb://{out}"],
            *["--data-dir", data_dir, "--system-columns", "dlt", *flags],
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, cwd=data_dir)
        except subprocess.TimeoutExpired:
            return f"longshore ran for more than {TIMEOUT} s"
    if done.returncode != 0:
        said = " | ".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-5:])
        return f"longshore exited with {done.returncode}: {said}"
    return None if out.exists() else "longshore exited with 0 but wrote no database"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--longshore", required=True, type=Path, help="the binary")
    parser.add_argument("--corpus", type=Path, default=HERE / "corpus")
    parser.add_argument("--only", help="only inputs whose name contains this text (then fewer than 60 may run)")
    parser.add_argument("--threads", type=int, help="passed on to longshore")
    parser.add_argument("--expected", type=Path, help="where dlt's files are kept")
    args = parser.parse_args()
    if not args.longshore.is_file():
        parser.error(f"no binary {args.longshore}")

    passed, failed = 0, 0
    binary = args.longshore.absolute()
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        expected = args.expected or work / "dlt"
        paths = inputs(args.corpus, args.only)
        ready = args.expected and all((expected / f"{p.stem}.duckdb").exists() for p in paths)
        errors = {} if ready else load_all(args.corpus, expected, only=args.only)
        ours = work / "longshore"
        ours.mkdir()

        def check(path):
            if errors.get(path.name):
                return [f"dlt: {errors[path.name]}"]
            if error := load_with_longshore(binary, path, ours / f"{path.stem}.duckdb", args.threads):
                return [error]
            files = [(folder / f"{path.stem}.duckdb", DATASET) for folder in (expected, ours)]
            try:
                return differences(*files)
            except Exception as error:  # a bug of the comparison is a failure of this input only
                return [f"compare: {type(error).__name__}: {error}"]

        with ThreadPoolExecutor(2) as pool:
            for path, found in zip(paths, pool.map(check, paths)):
                if not found:
                    passed += 1
                    print(f"ok    {path.name}", flush=True)
                    continue
                failed += 1
                more = f" (and {len(found) - MAX_DIFFERENCES} more)" if len(found) > MAX_DIFFERENCES else ""
                print(f"FAIL  {path.name}: {'; '.join(found[:MAX_DIFFERENCES])}{more}", flush=True)
    if passed + failed < MIN_INPUTS and not args.only:
        print(f"only {passed + failed} inputs ran, {MIN_INPUTS} are expected at least")
    print(f"{passed} passed, {failed} failed")
    few = passed + failed < (1 if args.only else MIN_INPUTS)
    sys.exit(1 if failed or few else 0)


if __name__ == "__main__":
    main()
