# Thin names for what scripts/ and cargo do; `just` lists them.

_list:
    @just --list

# Build longshore and load a real file with it
demo:
    scripts/demo

# Install what the tests need and run them all
test *args:
    scripts/test {{args}}

# The suite that defines a destination, against a real BigQuery project (credentials as `gcloud auth application-default login` leaves them)
test-bigquery-cloud project *args:
    LONGSHORE_BIGQUERY_PROJECT={{project}} cargo test --locked --package longshore-destination-bigquery --test conformance -- {{args}}

# Format, lints, documentation, dependencies: what a change has to pass beside the tests
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- --deny warnings
    RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --locked
    cargo check --package longshore --no-default-features --locked
    scripts/one-arrow
    command -v cargo-deny >/dev/null && cargo deny check || echo "cargo-deny is not installed: skipped"

# The release binary, with DuckDB's library beside it, in dist/
build-release:
    scripts/build-release

# Compare with dlt and with SQL written by hand, and write docs/benchmarks.md
bench *args:
    scripts/get-duckdb
    cargo build --release --locked --package longshore-cli --package longshore-bench-data
    python3 benches/compare.py --python "$(scripts/get-python benches/peers/requirements.txt)" --write-docs docs/benchmarks.md {{args}}

# Fuzz one target for a long time (needs cargo-fuzz and a nightly toolchain)
fuzz target="json" seconds="3600":
    cd fuzz && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}

# The API's documentation, in a browser
doc:
    cargo doc --workspace --no-deps --open
