"""Starts local-bigquery; it ends when its standard input is closed.

DuckDB fetches nothing from the network: what it would look for by itself is switched off, and the time zone, which it looks
for an extension to set, is set after connecting, when the built-in one is there.
"""

import os
import sys
import threading

import duckdb

plain_connect = duckdb.connect


def connect(database=":memory:", *args, **options):
    config = dict(options.pop("config", None) or {})
    zone = config.pop("TimeZone", None)
    config["autoinstall_known_extensions"] = False
    connection = plain_connect(database, *args, config=config, **options)
    if zone:
        connection.execute(f"SET GLOBAL TimeZone='{zone}'")
    return connection


duckdb.connect = connect


def end_with_parent():
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()

from local_bigquery.cli import main  # noqa: E402  (after the connect above)

sys.exit(main())
