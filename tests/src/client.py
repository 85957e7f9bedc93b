"""Reads DuckDB files for the tests: one JSON request a line, one JSON answer a line."""

import json
import sys

import duckdb


def answer(request):
    with duckdb.connect(request["file"], read_only=True, config={"threads": 1}) as connection:
        # It would be drawn between the answers once a query takes two seconds.
        connection.execute("SET enable_progress_bar = false")
        if request.get("dataset"):
            name = request["dataset"].replace('"', '""')
            connection.execute(f'USE "{name}"')
        return connection.execute(request["sql"]).fetchall()


for line in sys.stdin:
    try:
        reply = {"rows": answer(json.loads(line))}
    except Exception as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply, default=lambda v: v.hex() if isinstance(v, bytes) else str(v)), flush=True)
