//! The environment and the folders that configuration is read from: the one place that asks the machine for them.

use longshore_config::Surroundings;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Variables that are text.
pub(crate) fn environment() -> BTreeMap<String, String> {
    let text = |s: std::ffi::OsString| s.into_string().ok();
    std::env::vars_os().filter_map(|(k, v)| Some((text(k)?, text(v)?))).collect()
}

/// The environment as sources and destinations are given it.
pub(crate) fn connection() -> Connection {
    Connection { environment: environment(), ..Connection::default() }
}

/// The surroundings of a project in `folder`.
pub(crate) fn of(folder: &Path, file: Option<PathBuf>) -> Result<Surroundings> {
    let environment = environment();
    let home = etcetera::home_dir().ok();
    let config = environment.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| home.as_ref().map(|h| h.join(".config")));
    // dlt's own places for settings of all projects (`dlt/common/runtime/run_context.py`, `global_dir`).
    let own = home.as_ref().map(|h| h.join(".dlt"));
    let xdg = environment.get("XDG_DATA_HOME").map(|d| Path::new(d).join("dlt"));
    let dlt = own.clone().filter(|d| d.is_dir()).or(xdg).or(own);
    let of_root = PathBuf::from("/var/dlt");
    Ok(Surroundings {
        project: folder.to_path_buf(),
        file,
        homes: config.into_iter().map(|c| c.join("longshore")).collect(),
        dlt_homes: dlt.into_iter().chain([of_root]).collect(),
        mounted: Some(PathBuf::from("/run/secrets")),
        environment,
    })
}

/// The surroundings of a project that is named by its file, by its folder, or not at all.
pub(crate) fn named(project: Option<&Path>) -> Result<Surroundings> {
    let project = project.unwrap_or(Path::new("."));
    if project.is_dir() {
        return of(project, None);
    }
    if !project.exists() {
        return Err(Error::config(format!("there is no file or folder '{}'", project.display()))
            .hint("make a project with: longshore init files duckdb"));
    }
    let folder = project.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    of(folder, Some(project.to_path_buf()))
}
