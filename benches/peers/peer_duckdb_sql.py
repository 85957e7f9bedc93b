"""SQL written by hand for exactly the orders: peer_duckdb_sql.py IN.ndjson OUT.duckdb.

What someone who knows DuckDB would write instead of using a loader: the same six tables, linked by integer keys, in one
transaction. It knows the columns beforehand, does not evolve a schema, and leaves no record of the load.
Prints one line of JSON; the seconds run from opening the database to closing it, without Python's start.
"""

import argparse
import json
import os
import resource
import sys
import time

import duckdb

READ = """
create temp table source as
select row_number() over () as row_id, *
from read_json(?, format = 'newline_delimited', sample_size = 20480, union_by_name = true)
"""

# Line items have children of their own, so they get a key, kept beside them until both tables are made.
LINE_ITEMS = """
create temp table line_items as
select row_id as parent_id,
       row_id * 1000 + generate_subscripts(lineItems, 1) as row_id,
       generate_subscripts(lineItems, 1) - 1 as list_idx,
       unnest(lineItems) as item
from source
"""

TABLES = {
    "orders": """
        select row_id as _row_id, 'L1' as _load_id, id, number, createdAt as created_at, currency, total, test, note,
               customer.id as customer__id,
               customer.firstName as customer__first_name,
               customer.email as customer__email,
               customer.address.city as customer__address__city,
               customer.address.zip as customer__address__zip,
               customer.address.geo.lat as customer__address__geo__lat,
               customer.address.geo.lng as customer__address__geo__lng,
               customer.marketing.optIn as customer__marketing__opt_in,
               discount.code as discount__code,
               discount.percent as discount__percent
        from source""",
    "orders__line_items": """
        select row_id as _row_id, parent_id as _parent_id, list_idx as _list_idx, 'L1' as _load_id,
               item.sku as sku, item.qty as qty, item.price as price,
               item.attributes.color as attributes__color, item.attributes.size as attributes__size
        from line_items""",
    "orders__line_items__tax_lines": """
        select row_id as _parent_id, list_idx as _list_idx, 'L1' as _load_id,
               tax.title as title, tax.rate as rate, tax.amount as amount
        from (select row_id, generate_subscripts(item.taxLines, 1) - 1 as list_idx, unnest(item.taxLines) as tax
              from line_items)""",
    "orders__tags": """
        select row_id as _parent_id, generate_subscripts(tags, 1) - 1 as _list_idx, 'L1' as _load_id,
               unnest(tags) as value
        from source""",
    "orders__events": """
        select row_id as _parent_id, list_idx as _list_idx, 'L1' as _load_id,
               event.at as at, event.kind as kind, event.by as by
        from (select row_id, generate_subscripts(events, 1) - 1 as list_idx, unnest(events) as event from source)""",
    "orders__customer__marketing__channels": """
        select row_id as _parent_id, generate_subscripts(customer.marketing.channels, 1) - 1 as _list_idx,
               'L1' as _load_id, unnest(customer.marketing.channels) as value
        from source""",
}


def load(source, out):
    """Makes the tables and returns how many rows each got, as DuckDB itself says on creating it."""
    connection = duckdb.connect(out)
    connection.execute("begin")
    connection.execute("create schema raw")
    connection.execute(READ, [source])
    connection.execute(LINE_ITEMS)
    rows = {}
    for table, select in TABLES.items():
        rows[table] = connection.execute(f"create table raw.{table} as {select}").fetchone()[0]
    connection.execute("commit")
    connection.close()
    return rows


def peak_rss_mb():
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("source")
    arguments.add_argument("out")
    args = arguments.parse_args()

    if os.path.exists(args.out):
        os.remove(args.out)
    start = time.perf_counter()
    rows = load(args.source, args.out)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": round(seconds, 3), "peak_rss_mb": peak_rss_mb(), "rows": rows}))


if __name__ == "__main__":
    main()
