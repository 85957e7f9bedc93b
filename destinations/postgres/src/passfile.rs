//! libpq's file of passwords: `PGPASSFILE`, or `.pgpass` in the home folder; lines of `host:port:database:user:password`.

use longshore_core::connect::{Connection, Secret};
use std::path::{Path, PathBuf};
use std::sync::Once;
use tracing::warn;

/// Returns the password of the first line that fits one of the hosts.
pub(crate) fn password(connection: &Connection, hosts: &[(String, u16)], database: &str, user: &str) -> Option<Secret> {
    let home = || connection.env("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let file = connection.env("PGPASSFILE").map(PathBuf::from).or_else(home)?;
    if !file.is_file() || !is_private(&file) {
        return None;
    }
    find(&std::fs::read_to_string(file).ok()?, hosts, database, user)
}

/// A file that others may read is not used, as with libpq. Once a process: the settings are read more than once.
fn is_private(file: &Path) -> bool {
    static SAID: Once = Once::new();
    let is_open = others_may_read(file);
    if is_open {
        SAID.call_once(|| {
            warn!("the file of passwords {0} is not used, since others may read it: chmod 600 {0}", file.display());
        });
    }
    !is_open
}

#[cfg(unix)]
fn others_may_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|m| m.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_may_read(_: &Path) -> bool {
    false
}

fn find(file: &str, hosts: &[(String, u16)], database: &str, user: &str) -> Option<Secret> {
    let lines = file.lines().filter(|l| !l.starts_with('#')).map(fields);
    let mut fitting = lines.filter(|fields| {
        let fits = |i: usize, value: &str| fields.get(i).is_some_and(|f| f == "*" || f == value);
        // A socket is meant by `localhost`.
        let name = |host: &str| if host.starts_with('/') { "localhost".to_owned() } else { host.to_owned() };
        fields.len() == 5
            && hosts.iter().any(|(host, port)| fits(0, &name(host)) && fits(1, &port.to_string()))
            && fits(2, database)
            && fits(3, user)
    });
    fitting.next()?.pop().map(Secret::new)
}

/// Splits at colons that have no backslash before them.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (c, fields.last_mut()) {
            (':', _) => fields.push(String::new()),
            ('\\', Some(field)) => field.extend(characters.next()),
            (c, Some(field)) => field.push(c),
            (_, None) => {}
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pass");
        std::fs::write(&file, "*:*:*:*:p\n").unwrap();
        let mut connection = Connection::new("postgres://u@h/d");
        connection.environment = [("PGPASSFILE".to_owned(), file.display().to_string())].into();
        for (mode, is_used) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let found = password(&connection, &[("h".to_owned(), 5432)], "d", "u");
            assert_eq!(found.is_some(), is_used, "{mode:o}");
        }
    }

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# h:1:d:u:no\nother:*:*:*:no\nh:5432:d:u:p\\:w\\\\d\n*:*:*:*:rest\n";
        let of = |host: &str, port| find(file, &[(host.to_owned(), port)], "d", "u").map(|s| s.expose().to_owned());
        assert_eq!(of("h", 5432).as_deref(), Some("p:w\\d"));
        assert_eq!(of("h", 1).as_deref(), Some("rest"));
        assert!(find("h:1:d:u", &[("h".to_owned(), 1)], "d", "u").is_none());
    }
}
