//! A folder with a project.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses its own part

use longshore_config::{Problems, Project, Surroundings};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

pub struct Folder {
    dir: TempDir,
    surroundings: Surroundings,
}

impl Folder {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let project = dir.path().join("project");
        fs::create_dir_all(&project).unwrap();
        let home = dir.path().join("home");
        let surroundings = Surroundings {
            project,
            homes: vec![home.join(".config/longshore")],
            dlt_homes: vec![home.join(".dlt")],
            mounted: Some(dir.path().join("run/secrets")),
            ..Surroundings::default()
        };
        Folder { dir, surroundings }
    }

    /// Writes a file; `home/` and `run/` stand beside the project, everything else in it.
    pub fn with(self, name: &str, text: &str) -> Self {
        let outside = name.starts_with("home/") || name.starts_with("run/");
        let base = if outside { self.dir.path().to_path_buf() } else { self.project_dir() };
        let path = base.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.surroundings.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn project_dir(&self) -> PathBuf {
        self.surroundings.project.clone()
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub fn open(&self) -> Result<Project, Problems> {
        Project::open(self.surroundings.clone())
    }

    /// All problems, without the folder's own path.
    pub fn problems(&self, found: Problems) -> Vec<String> {
        let prefix = format!("{}/", self.surroundings.project.display());
        found.0.iter().map(|p| p.to_string().replace(&prefix, "")).collect()
    }
}
