//! libpq's file of services, each a section of settings: `PGSERVICEFILE`, or `.pg_service.conf` in the home folder; then
//! `pg_service.conf` in `PGSYSCONFDIR`.

use crate::given::Given;
use longshore_core::connect::Connection;
use longshore_core::error::{Error, Result};
use std::io::ErrorKind;
use std::path::PathBuf;

/// Takes what the service says that is named, where that is still open.
pub(crate) fn read(connection: &Connection, given: &mut Given) -> Result<()> {
    let Some(service) = given.get("service").map(str::to_owned) else { return Ok(()) };
    let home = || connection.env("HOME").map(|home| PathBuf::from(home).join(".pg_service.conf"));
    let own = connection.env("PGSERVICEFILE").map(PathBuf::from).or_else(home);
    let shared = connection.env("PGSYSCONFDIR").map(|folder| PathBuf::from(folder).join("pg_service.conf"));
    let files: Vec<PathBuf> = own.into_iter().chain(shared).collect();
    for file in &files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => {
                return Err(Error::config("the file of services cannot be read")
                    .with("file", file.display())
                    .source(e));
            }
        };
        let Some(settings) = section(&text, &service) else { continue };
        for (name, value) in settings {
            given.set(name, value).map_err(|e| e.with("service", &service).with("file", file.display()))?;
        }
        return Ok(());
    }
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Err(Error::config(format!("there is no service '{service}'"))
        .hint(format!("looked in: {}; PGSERVICEFILE names another file", files.join(", "))))
}

/// The settings of a section, if there is one.
fn section<'a>(text: &'a str, name: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let lines = text.lines().map(str::trim);
    let is_end = |line: &str| line.starts_with('[');
    let mut own = lines.skip_while(|line| line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) != Some(name));
    own.next()?;
    let own = own.take_while(|line| !is_end(line)).filter(|line| !line.starts_with('#'));
    Some(own.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.trim(), value.trim())).collect())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use longshore_core::connect::Connection;

    #[test]
    fn a_service_goes_before_the_environment_and_behind_the_url() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("services");
        std::fs::write(&file, "# shop\n[other]\nhost=no\n[shop]\nhost=h\nport = 7\n#port=8\ndbname=d\nuser=u\npassword=p=q\n[odd]\nnosuch=hush\n")
            .unwrap();
        let config = |url: &str, service: &str| {
            let mut connection = Connection::new(url);
            let file = file.display().to_string();
            let variables =
                [("PGSERVICEFILE", &*file), ("PGSERVICE", service), ("PGHOST", "e"), ("PGSSLMODE", "require")];
            connection.environment = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
            Config::from_connection(&connection)
        };
        let c = config("postgres", "shop").unwrap();
        assert_eq!(c.url(), "postgres://u@h:7/d?sslmode=require");
        assert_eq!(c.password.unwrap().expose(), "p=q");
        assert_eq!(config("postgres://me@/db?service=shop", "").unwrap().url(), "postgres://me@h:7/db?sslmode=require");
        let missing = config("postgres", "none").unwrap_err();
        assert!(missing.message().contains("'none'") && missing.hint_text().is_some_and(|h| h.contains("services")));
        let odd = config("postgres", "odd").unwrap_err().to_string();
        assert!(odd.contains("nosuch") && odd.contains("odd") && !odd.contains("hush"), "{odd}");
    }
}
