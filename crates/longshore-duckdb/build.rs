//! Puts DuckDB's library beside the binaries that are built with it, so that they find it wherever
//! the target folder is (`.cargo/config.toml` gives them the rpath `$ORIGIN`).

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let (Some(library), Some(out)) = (env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from), env::var_os("OUT_DIR")) else {
        return; // a library installed by the system is found by itself
    };
    // OUT_DIR is <target>/<profile>/build/<package>/out.
    let Some(profile) = Path::new(&out).ancestors().nth(3) else { return };
    for name in ["libduckdb.so", "libduckdb.dylib"] {
        let from = library.join(name);
        if let Ok(from) = from.canonicalize() {
            println!("cargo::rerun-if-changed={}", from.display());
            // Another build may bring it at the same time: whichever comes last, the file is whole at any time.
            let (new, to) = (profile.join(format!("{name}.new")), profile.join(name));
            let _ = fs::remove_file(&new);
            let brought = fs::hard_link(&from, &new).or_else(|_| fs::copy(&from, &new).map(|_| ()));
            let brought = brought.and_then(|()| fs::rename(&new, &to));
            assert!(brought.is_ok(), "cannot bring {} to {}: {brought:?}", from.display(), to.display());
            let _ = fs::remove_file(&new); // renaming a link over another of the same file leaves both
        }
    }
}
