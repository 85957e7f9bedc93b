//! libpq's file of passwords: `PGPASSFILE`, or `.pgpass` in the home folder; lines of `host:port:database:user:password`.

use longshore_core::connect::{Connection, Secret};
use std::path::PathBuf;

/// Returns the password of the first line that fits one of the hosts.
pub(crate) fn password(connection: &Connection, hosts: &[(String, u16)], database: &str, user: &str) -> Option<Secret> {
    let home = || connection.env("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let file = connection.env("PGPASSFILE").map(PathBuf::from).or_else(home)?;
    find(&std::fs::read_to_string(file).ok()?, hosts, database, user)
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

    #[test]
    fn the_first_line_that_fits_counts() {
        let file = "# h:1:d:u:no\nother:*:*:*:no\nh:5432:d:u:p\\:w\\\\d\n*:*:*:*:rest\n";
        let of = |host: &str, port| find(file, &[(host.to_owned(), port)], "d", "u").map(|s| s.expose().to_owned());
        assert_eq!(of("h", 5432).as_deref(), Some("p:w\\d"));
        assert_eq!(of("h", 1).as_deref(), Some("rest"));
        assert!(find("h:1:d:u", &[("h".to_owned(), 1)], "d", "u").is_none());
    }
}
