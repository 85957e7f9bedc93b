"""Makes the installed local-bigquery 0.3.2 run here; safe to run again.

* Python 3.11 lacks two spellings it uses: generic functions, and quotes inside an f-string's own quotes.
* Its BIGNUMERIC is DECIMAL(38,18), which has no room for the 38 digits before the point that BigQuery has; here it is
  DECIMAL(38,0), and with a size DECIMAL of that size.
* For each request it asks DuckDB for all tables with their sizes, which looks into every one of them, so that a dataset of
  a hundred tables takes seconds a request. Here it asks for the one that is meant, and DuckLake for its rows.
* It adds no fields to records.
* The signed extensions of DuckDB it needs come from their wheels, into the folder that is its home.
"""

import os
import pathlib
import re
import sys

package = pathlib.Path(next(p for p in sys.path if p.endswith("site-packages"))) / "local_bigquery"


edited = {}  # from the originals each time, so that a change of this file arrives where an older one was run


def edit(name, change):
    path = package / name
    original = path.with_suffix(".original")
    if name not in edited and original.exists():
        edited[name] = original.read_text()
    elif name not in edited:
        edited[name] = path.read_text()
        original.write_text(edited[name])
    edited[name] = change(edited[name])
    if path.read_text() != edited[name]:
        path.write_text(edited[name])


def plain_generics(text):
    text = text.replace(
        "def list_[R: Resource](model: type[R], *keys: str) -> list[R]:", "def list_(model, *keys: str) -> list:"
    )
    text = re.sub(r"def (\w+)\[[^\]]+\]\(", r"def \1(", text)
    return text if "__future__" in text else "from __future__ import annotations\n" + text


def plain_quotes(text):
    return text.replace(
        """f"THEN error('{message.replace("'", "''")}') ELSE {expression} END\"""",
        """"THEN error('" + message.replace("'", "''") + f"') ELSE {expression} END\"""",
    )


def whole_decimals(text):
    text = text.replace('"BIGNUMERIC": "DECIMAL(38,18)"', '"BIGNUMERIC": "DECIMAL(38,0)"')
    return text.replace(
        "        if scale <= 9:\n", "        if scale <= 9 and (precision, scale) != (38, 0):\n"
    )


OBJECTS = """def objects(
    project_id: str, dataset_id: str, table_id: str | None = None
) -> list[tuple[str, str, int]]:
    if project_id == "emulator" and table_id:
        try:
            return [(table_id, "TABLE", *fetch(f"SELECT count(*) FROM {quote(project_id, dataset_id, table_id)}")[0])]
        except duckdb.CatalogException:
            return []
    if project_id == "emulator":
        return all_objects(project_id, dataset_id, table_id)
    lake = quote("__ducklake_metadata_" + project_id)
    rows = "(SELECT sum({0}) FROM {1} WHERE f.table_id = t.table_id AND f.end_snapshot IS NULL{2})"
    written = rows.format("record_count", f"{lake}.ducklake_data_file f", "")
    # Where all rows of a file are deleted, the file goes and what says so stays.
    files = f"{lake}.ducklake_delete_file d JOIN {lake}.ducklake_data_file f USING (data_file_id)"
    deleted = rows.format("delete_count", files, " AND d.end_snapshot IS NULL")
    return fetch(
        f"WITH live AS (SELECT schema_id FROM {lake}.ducklake_schema WHERE schema_name = $1 AND end_snapshot IS NULL) "
        f"SELECT table_name, 'TABLE', coalesce({written}, 0) - coalesce({deleted}, 0) "
        f"FROM {lake}.ducklake_table t JOIN live USING (schema_id) "
        "WHERE end_snapshot IS NULL AND table_name = coalesce($2, table_name) "
        f"UNION ALL SELECT view_name, 'VIEW', 0 FROM {lake}.ducklake_view JOIN live USING (schema_id) "
        "WHERE end_snapshot IS NULL AND view_name = coalesce($2, view_name) ORDER BY 1",
        [dataset_id, table_id],
    )


def described(*table: str) -> list[tuple]:
    try:
        return fetch(f"SELECT column_name, \\"null\\" FROM (DESCRIBE {quote(*table)})")
    except duckdb.CatalogException:
        return []


"""


def quick_objects(text):
    if "all_objects" in text:
        return text
    text = text.replace("def objects(", "def all_objects(")
    return text.replace("def projects()", OBJECTS + "def projects()")


def quick_columns(text):
    slow = text.partition("    required = database.fetch(")[2].partition("    required = {column")[0]
    if not slow:
        return text
    text = text.replace("    required = database.fetch(" + slow, "    known = database.described(*physical(project_id, dataset_id, table_id))\n")
    return text.replace("{column for (column,) in required}", "{column for column, null in known if null == 'NO'}")


def quick_hidden(text):
    slow = text.partition("    return bool(\n        database.fetch(")[2].partition("\n\n\n")[0]
    if not slow:
        return text
    return text.replace(
        "    return bool(\n        database.fetch(" + slow,
        "    known = database.described(table.catalog, table.db, table.name)\n"
        "    return any(column == tables.INGESTION_TIME for column, _ in known)",
    )


def quick_temporary(text):
    # Only a session has temporary tables before its query begins.
    return text.replace(
        'cur.sql("SELECT table_name FROM duckdb_tables() WHERE temporary")',
        'cur.sql("SELECT table_name FROM duckdb_tables() WHERE temporary" if session else "SELECT 1 AS n WHERE FALSE")',
    )


def nested_additions(text):
    """Records get the fields that they lack, as in BigQuery."""
    if "_alter_nested" in text:
        return text
    helper = '''def _alter_nested(table: str, path: str, current, wanted):
    known = {f.name.casefold(): f for f in current}
    for field in wanted:
        existing = known.get(field.name.casefold())
        if existing is None:
            column = types.column(field, nested=True)
            database.execute(f"ALTER TABLE {table} ADD COLUMN {path}{column}")
        elif field.fields:
            element = ".element" if existing.mode == "REPEATED" else ""
            _alter_nested(table, f"{path}{quote(field.name)}{element}.", existing.fields, field.fields)


'''
    text = text.replace("def _alter(", helper + "def _alter(")
    return text.replace(
        """        elif existing.mode == "REQUIRED" and field.mode""",
        """        elif field.fields:
            _alter_nested(table, quote(field.name) + (".element." if existing.mode == "REPEATED" else "."), existing.fields, field.fields)
        elif existing.mode == "REQUIRED" and field.mode""",
    )


edit("catalog/tables.py", nested_additions)
edit("engine/database.py", quick_objects)
edit("sql/rules/partitions.py", quick_hidden)
edit("jobs/query.py", quick_temporary)
edit("catalog/tables.py", quick_columns)
edit("catalog/metadata.py", plain_generics)
edit("engine/results.py", plain_quotes)
def sized_decimals(text):
    """Sizes of decimals, which it leaves out."""
    return text.replace(
        """    elif kind in TO_DUCKDB:
        name = TO_DUCKDB[kind]
""",
        """    elif kind in ("NUMERIC", "BIGNUMERIC") and field.precision:
        name = f"DECIMAL({min(int(field.precision), 38)},{field.scale or 0})"
    elif kind in TO_DUCKDB:
        name = TO_DUCKDB[kind]
""",
    )


edit("engine/types.py", whole_decimals)
edit("engine/types.py", sized_decimals)
edit("sql/rules/typing.py", lambda text: text.replace('"DECIMAL(38, 18)"', '"DECIMAL(38, 0)"'))

home = pathlib.Path(sys.argv[1])
home.mkdir(exist_ok=True)
os.environ["HOME"] = str(home)
from duckdb_extensions import import_extension  # noqa: E402  (it looks at HOME)

for extension in ("ducklake", "spatial"):
    if not list(home.rglob(f"{extension}.duckdb_extension")):
        import_extension(extension)
