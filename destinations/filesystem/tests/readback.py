"""Reads a dataset's files with pyarrow, DuckDB and Python alone, and asserts what stands in them: readback.py FOLDER FORMAT"""

import csv
import glob
import gzip
import io
import json
import sys

folder, form = sys.argv[1:]
files = sorted(glob.glob(f"{folder}/data/t/*"))
assert len(files) == 1, files
if form == "parquet":
    import duckdb
    import pyarrow.parquet as pq

    table = pq.read_table(files[0])
    types = {f.name: str(f.type) for f in table.schema}
    assert types["a_timestamp"] == "timestamp[us, tz=UTC]", types
    assert types["a_decimal"] == "decimal128(38, 0)", types
    assert (types["a_date"], types["a_time"], types["a_binary"]) == ("date32[day]", "time64[us]", "binary"), types
    row = table.to_pylist()[0]
    assert str(row["a_timestamp"]) == "2024-01-31 23:59:59.000001+00:00", row
    assert (str(row["a_decimal"]), row["a_binary"], row["a_text"]) == ("18446744073709551616", b"\x00\xfe", "naïve"), row
    assert json.loads(row["a_json"]) == {"k": [1, None]}, row
    kind = duckdb.sql(f"SELECT typeof(a_json), typeof(a_timestamp), a_time::VARCHAR FROM '{files[0]}'").fetchone()
    assert kind == ("JSON", "TIMESTAMP WITH TIME ZONE", "12:34:56.000007"), kind
else:
    raw = open(files[0], "rb").read()
    text = (gzip.decompress(raw) if files[0].endswith(".gz") else raw).decode()
    if form == "jsonl":
        row = json.loads(text)
        assert row["a_json"] == {"k": [1, None]} and row["a_bool"] is True and row["a_bigint"] == -7, row
        assert row["a_timestamp"] == "2024-01-31T23:59:59.000001+00:00", row
    else:
        row = next(csv.DictReader(io.StringIO(text)))
        assert json.loads(row["a_json"]) == {"k": [1, None]} and row["a_bool"] == "True", row
        assert row["a_timestamp"] == "2024-01-31 23:59:59.000001+00:00", row
    assert (row["a_date"], row["a_time"], row["a_binary"]) == ("2024-02-29", "12:34:56.000007", "AP4="), row
    assert (row["a_decimal"], row["a_text"]) == ("18446744073709551616", "naïve"), row

# dlt's own client finds the loads, the schema and the state.
import dlt

pipeline = dlt.pipeline(
    "shop", destination=dlt.destinations.filesystem(f"file://{folder}"), dataset_name="data", pipelines_dir=f"{folder}.state"
)
client = pipeline._get_destination_clients(dlt.Schema("shop"))[0]
assert client.is_storage_initialized()
assert len(list(client.list_table_files("_dlt_loads"))) == 1
assert client.get_stored_schema("shop").schema_name == "shop"
assert client.get_stored_state("shop").version == 1
