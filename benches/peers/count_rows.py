"""Counts what a loaded DuckDB file really holds: count_rows.py FILE.duckdb [SCHEMA].

Prints one line of JSON, rows by table, without the loaders' own tables (their names begin with an underscore).
"""

import json
import sys

import duckdb


def main():
    path = sys.argv[1]
    schema = sys.argv[2] if len(sys.argv) > 2 else "raw"
    connection = duckdb.connect(path, read_only=True)
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = ? order by table_name", [schema]
    ).fetchall()
    rows = {}
    for (table,) in tables:
        if not table.startswith("_"):
            rows[table] = connection.execute(f'select count(*) from "{schema}"."{table}"').fetchone()[0]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
