"""Loads a source of a longshore.toml with dlt's own rest_api into DuckDB.

usage: rest_api_by_dlt.py PROJECT SOURCE BASE_URL TOKEN DATABASE DATASET RESOURCE...

The keys of the source are given to dlt as they stand there; only the address and the token are put in.
"""

import pathlib
import sys
import tempfile
import tomllib

import dlt
from dlt.sources.rest_api import rest_api_source

project, name, base_url, token, database, dataset, *resources = sys.argv[1:]
config = tomllib.loads(pathlib.Path(project).read_text())["sources"][name]
del config["type"]  # says which kind of source it is, for Longshore
config["client"]["base_url"] = base_url
config["client"]["auth"]["token"] = token

source = rest_api_source(config, name=name)
for key, resource in source.resources.items():
    resource.selected = key in resources
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline(
        "by_dlt", pipelines_dir=folder, destination=dlt.destinations.duckdb(database), dataset_name=dataset
    )
    pipeline.run(source)
