# Sourced by the scripts beside it; the current folder is the checkout afterwards.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Where cargo puts what it builds.
target_dir=${CARGO_TARGET_DIR:-target}

# Features for cargo: none when DuckDB's own library is (or can be) put into .duckdb/, otherwise the one that compiles
# DuckDB from source. LONGSHORE_BUNDLED=1 asks for the latter.
features=()
duckdb_from() {
    if [ "${LONGSHORE_BUNDLED:-0}" != 1 ]; then
        local status=0
        scripts/get-duckdb || status=$?
        case $status in
            0) return ;;
            3) echo "DuckDB is compiled from source instead: half an hour and more" >&2 ;;
            *) exit "$status" ;;
        esac
    fi
    local package
    for package in "$@"; do features+=(--features "$package/bundled"); done
}

# Builds the release binary and says where it is.
build_release() {
    duckdb_from longshore-cli
    cargo build --release --locked --package longshore-cli ${features[@]+"${features[@]}"}
    longshore=$(absolute "$target_dir/release/longshore")
}

absolute() { (cd "$(dirname "$1")" && printf '%s/%s\n' "$PWD" "$(basename "$1")"); }
