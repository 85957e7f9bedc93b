"""dlt's side of the interop tests: one job as JSON on stdin, what came of it as JSON on stdout.

Always on a machine that knows nothing: a new pipelines folder each time, so that schema and state come from the dataset.
"""

import json
import os
import sys
import tempfile
import urllib.parse

import dlt
import pyarrow
from dlt.common.schema import utils
from dlt.common.versioned_state import decompress_state, generate_state_version_hash


def destination(url, job):
    if url.startswith("duckdb://"):
        return dlt.destinations.duckdb(url.removeprefix("duckdb://"))
    if url.startswith("file://"):
        return dlt.destinations.filesystem(url, **({"layout": job["layout"]} if "layout" in job else {}))
    if url.startswith("bigquery://"):
        return bigquery(url)
    # dlt wants a password even where the server asks for none.
    return dlt.destinations.postgres(url.replace("postgres@", "postgres:none@"))


def bigquery(url):
    """An emulator, which wants no credentials; Google's client comes from where the emulator is installed."""
    url = urllib.parse.urlsplit(url)
    os.environ["BIGQUERY_EMULATOR_HOST"] = urllib.parse.parse_qs(url.query)["endpoint"][0]
    os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"  # the emulator reads no gzip
    sys.path.append(os.environ["LONGSHORE_TEST_PACKAGES"])
    from dlt.common.configuration.specs import gcp_credentials
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery as google

    for kind in vars(gcp_credentials).values():
        if isinstance(kind, type) and "to_native_credentials" in vars(kind):
            kind.to_native_credentials = lambda self: AnonymousCredentials()
    google.Client._ensure_bqstorage_client = lambda self, **_: None  # rows by the API that is emulated
    nobody = {"project_id": url.netloc, "private_key": "none", "client_email": "none@none"}
    return dlt.destinations.bigquery(credentials=nobody, location="US")


def load(pipeline, job):
    seen = {}
    hints = {"name": job["table"], "write_disposition": job.get("disposition", "append")}
    for hint in ("primary_key", "columns"):
        if job.get(hint):
            hints[hint] = job[hint]

    if job.get("cursor"):

        @dlt.resource(**hints)
        def records(at=dlt.sources.incremental(job["cursor"])):
            seen["start"] = at.start_value
            yield job["records"]

    else:

        @dlt.resource(**hints)
        def records():
            yield pyarrow.Table.from_pylist(job["records"]) if job.get("arrow") else job["records"]

    source = dlt.source(lambda: records(), name=job["source"])() if job.get("source") else records()
    # dlt reads all files of a table in the format of the first: both have to write the same.
    file_format = job.get("format", "parquet") if job["url"].startswith("file://") else None
    pipeline.run(source, loader_file_format=file_format).raise_on_failed_jobs()
    return seen


def stored(pipeline):
    """What stands in the dataset, read by dlt's own client."""
    with pipeline.destination_client() as client:
        schema = json.loads(client.get_stored_schema(pipeline.default_schema_name).schema)
        state = decompress_state(client.get_stored_state(pipeline.pipeline_name).state)
    assert schema["version_hash"] == utils.generate_version_hash(schema), "dlt computes another hash of the schema"
    assert state["_version_hash"] == generate_state_version_hash(dict(state), ["_local"]), "and of the state"
    return schema, state


def main():
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            job["pipeline"],
            destination=destination(job["url"], job),
            dataset_name=job["dataset"],
            pipelines_dir=folder,
        )
        pipeline.sync_destination()
        began_with = pipeline.default_schema_name
        seen = load(pipeline, job) if job.get("records") is not None else {}
        schema, state = stored(pipeline)
        dataset = pipeline.dataset()
        rows = {}
        for table, columns in job["read"].items():
            listed = dataset(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
            rows[table] = sorted(([v for v in row] for row in listed), key=str)
        print(
            json.dumps(
                {
                    "began_with": began_with,
                    "start": seen.get("start"),
                    "rows": rows,
                    "tables": sorted(t["name"] for t in pipeline.default_schema.data_tables()),
                    "sources": state.get("sources"),
                    "schemas": state["schema_names"],
                },
                default=str,
            )
        )


main()
