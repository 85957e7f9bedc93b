# Thin names for what scripts/ and cargo do; `just` lists them.

_list:
    @just --list

# Build longshore and load a real file with it
demo:
    scripts/demo

# Install what the tests need and run them all
test *args:
    scripts/test {{args}}

# Random sequences of loads with changing schemas and crashes, compared with a model: the long run (the tests do 50 a destination)
test-sequences count="2000":
    scripts/get-duckdb
    scripts/get-postgres
    LONGSHORE_SEQUENCES={{count}} cargo test --locked --package longshore-testkit --test memory_conformance -- sequences::
    LONGSHORE_SEQUENCES={{count}} cargo test --locked --package longshore-destination-duckdb --test conformance -- sequences::
    LONGSHORE_SEQUENCES={{count}} cargo test --locked --package longshore-destination-postgres --test conformance -- sequences::
    LONGSHORE_SEQUENCES={{count}} cargo test --locked --package longshore-destination-filesystem --test conformance_parquet -- sequences::

# The suite that defines a destination, against a real BigQuery project (credentials as `gcloud auth application-default login` leaves them)
test-bigquery-cloud project *args:
    LONGSHORE_BIGQUERY_PROJECT={{project}} cargo test --locked --package longshore-destination-bigquery --test conformance -- {{args}}

# Format, lints, documentation, dependencies: what a change has to pass beside the tests
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --exclude longshore-cli --no-deps --locked
    cargo check --package longshore --no-default-features --locked
    scripts/one-arrow
    command -v cargo-deny >/dev/null && cargo deny check || echo "cargo-deny is not installed: skipped"

# The release binary, with DuckDB's library beside it, in dist/
build-release:
    scripts/build-release

# Time the parts, compare the whole with dlt and with SQL written by hand, and write docs/benchmarks.md
bench *args: bench-parts
    scripts/get-duckdb
    cargo build --release --locked --package longshore-cli --package longshore-bench-data
    python3 benches/compare.py --python "$(scripts/get-python benches/peers/requirements.txt)" --write-docs docs/benchmarks.md {{args}}

# Time the parts by themselves: JSON tape, normalising, naming, packages
bench-parts *args:
    cargo bench --locked --package longshore-core --package longshore-pipeline -- {{args}}

# What merging 1% changed records costs in DuckDB and PostgreSQL, beside SQL written by hand (docs/benchmarks.md, Merging)
bench-merge *args:
    scripts/get-duckdb
    cargo build --release --locked --package longshore-cli --package longshore-bench-data
    "$(scripts/get-python)" benches/merge.py {{args}}

# Fuzz one target (json or naming) for a long time; needs `cargo install cargo-fuzz`
fuzz target="json" seconds="3600":
    cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time={{seconds}}

# The API's documentation, in a browser
doc:
    cargo doc --workspace --no-deps --open
