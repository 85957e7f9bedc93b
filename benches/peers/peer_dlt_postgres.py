"""dlt loading NDJSON into PostgreSQL: peer_dlt_postgres.py IN.ndjson URL csv|insert_values|parquet.

Records are parsed by orjson and yielded in pages of 5,000. Prints one line of JSON; the seconds are those of
`pipeline.run`, without Python's start and dlt's import.
"""

import json
import os
import sys
import tempfile
import time

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")

import dlt
import orjson


def pages(path):
    page = []
    with open(path, "rb") as file:
        for line in file:
            page.append(orjson.loads(line))
            if len(page) == 5000:
                yield page
                page = []
    if page:
        yield page


source, url, form = sys.argv[1:4]
with tempfile.TemporaryDirectory() as state:
    destination = dlt.destinations.postgres(url)
    pipeline = dlt.pipeline("peer", destination=destination, dataset_name="dlt", pipelines_dir=state)
    start = time.perf_counter()
    pipeline.run(pages(source), table_name="orders", loader_file_format=form)
    seconds = time.perf_counter() - start
    counts = pipeline.last_trace.last_normalize_info.row_counts
print(json.dumps({"seconds": round(seconds, 3), "rows": counts}))
