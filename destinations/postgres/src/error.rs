//! PostgreSQL's errors in Longshore's words. Its details and contexts hold values of rows, so they are left out.

use longshore_core::error::{Error, ErrorKind};
use tokio_postgres::error::{DbError, SqlState};

const ONLY_READS: &str = "name the primary server (of several, target_session_attrs=read-write finds it), or a role and database whose default_transaction_read_only is off";

/// Returns the error the driver's error stands for. `role` is who asked.
pub(crate) fn from_driver(error: tokio_postgres::Error, role: &str) -> Error {
    if let Some(db) = error.as_db_error() {
        return from_server(db, role);
    }
    let mut cause = std::error::Error::source(&error);
    while let Some(e) = cause {
        if e.is::<rustls::Error>() || e.to_string().contains("invalid peer certificate") {
            let text = e.to_string();
            let hint = if text.contains("UnsupportedCertVersion") {
                "the certificate is of X.509's version 1, which cannot be checked: give the server one with extensions \
                 (openssl x509 -extfile, with subjectAltName), or use sslmode=require, which checks nobody"
            } else {
                "check sslmode and sslrootcert; verify-full also needs the host's name in the certificate"
            };
            return Error::destination("the server's certificate is not trusted, or TLS failed")
                .hint(hint)
                .source(text);
        }
        cause = e.source();
    }
    let cause = std::error::Error::source(&error).map_or(String::new(), |c| format!(": {c}"));
    let text = format!("{error}{cause}");
    if text.contains("server does not support TLS") {
        return Error::destination("the server does not encrypt connections")
            .hint("switch ssl on there, or use sslmode=prefer or disable");
    }
    if text.contains("does not allow writes") {
        // That may pass: another server may be about to become the primary.
        return Error::new(
            ErrorKind::Unavailable,
            "no server that is named takes writes, as target_session_attrs asks for",
        )
        .with("role", role)
        .hint(ONLY_READS)
        .source(text);
    }
    if text.contains("channel binding") {
        return Error::destination("the login is not bound to an encrypted connection, as channel_binding=require asks for")
            .with("role", role)
            .hint("use sslmode=require or more and a server that stores the password as scram-sha-256, or leave channel_binding out")
            .source(text);
    }
    if text.contains("password missing") || text.contains("authentication") {
        return Error::destination("the server asks for a password")
            .with("role", role)
            .hint("give it in the URL, as PGPASSWORD, or as the setting 'password'");
    }
    Error::new(ErrorKind::Unavailable, "the connection to PostgreSQL failed or was lost")
        .hint("check that the server runs and can be reached, then run the same command again")
        .source(text)
}

/// The kind, what to say, and what to do about a refusal of the server.
fn from_server(db: &DbError, role: &str) -> Error {
    let code = db.code().code();
    let (kind, message, hint) = explain(code, db);
    let mut made = Error::new(kind, message);
    if let Some(table) = db.table() {
        made = made.with("table", table);
    }
    let key = db.detail().filter(|_| code == SqlState::UNIQUE_VIOLATION.code()).and_then(key_of);
    if let Some(column) = db.column().map(str::to_owned).or(key).or_else(|| column_of(db.where_())) {
        made = made.with("column", column);
    }
    if let Some(view) = db.detail().filter(|_| code == SqlState::FEATURE_NOT_SUPPORTED.code()).and_then(view_of) {
        made = made.with("view", view);
    }
    if code.starts_with("28") || code.starts_with("42501") || code == "25006" {
        made = made.with("role", role);
    }
    // Messages of these classes may quote values.
    let quotes_values = code.starts_with("22") || code.starts_with("23");
    let cause = if quotes_values { format!("PostgreSQL's code {code}") } else { format!("{} ({code})", db.message()) };
    made.hint(hint).source(cause)
}

fn explain(code: &str, db: &DbError) -> (ErrorKind, &'static str, &'static str) {
    use ErrorKind::{Busy, Data, Destination, Unavailable};
    let again = "run the same command again";
    // Two sessions that make the same thing meet in the system's own tables.
    let is_race = code == SqlState::UNIQUE_VIOLATION.code() && db.schema() == Some("pg_catalog");
    match code {
        _ if is_race => (Busy, "another session made the same object at the same moment", again),
        // What is no table and has the name is known before (`obstacles`).
        "42P06" | "42P07" | "42701" => (Busy, "another session made the same object at the same moment", again),
        "40001" | "40P01" => (Busy, "another transaction stood in the way", again),
        "55P03" => (
            Busy,
            "a table is locked by another session for too long",
            "end the other session's transaction, and run the same command again",
        ),
        "28000" if db.message().contains("client certificate") => (
            Destination,
            "the server asks for a client certificate",
            "name its files with sslcert and sslkey (PGSSLCERT, PGSSLKEY)",
        ),
        "28P01" | "28000" => {
            (Destination, "the server refused the login", "check user, password, database and the server's pg_hba.conf")
        }
        "3D000" => (Destination, "the database does not exist", "make it with createdb, or name another"),
        "42501" => (
            Destination,
            "a right is missing",
            "the role needs CREATE on the database or on the schema, INSERT on the tables, and must own tables that get new columns",
        ),
        "25006" => (Destination, "the server or the role only reads", ONLY_READS),
        "53100" => (Destination, "the server's disk is full", "make room there and run the same command again"),
        "53300" => (
            Busy,
            "the server has no connection left",
            "set 'connections' lower, or raise max_connections, or the role's CONNECTION LIMIT",
        ),
        "0A000" if db.message().contains("used by a view") => (
            Destination,
            "a view uses a column whose type has to change",
            "drop the view, run the same command again, and make the view anew",
        ),
        "42809" => (
            Destination,
            "something that is no table has the table's name",
            "rename the view or the like that has it, or load into another table or dataset",
        ),
        "42804" => (
            Destination,
            "a column of the table has a type that the loader's values do not fit",
            "change the column's type, or load into another table or dataset",
        ),
        "54011" => (
            Destination,
            "a table would have more than PostgreSQL's 1600 columns",
            "keep deep objects as JSON: --max-nesting or --json-columns",
        ),
        "54000" if db.message().contains("row is too big") => (
            Data,
            "a row has too many values for one page of PostgreSQL",
            "keep deep objects as JSON: --max-nesting or --json-columns",
        ),
        "42P01" | "3F000" => (Unavailable, "a table or schema that was there is gone", again),
        "57014" => (Unavailable, "the statement was cancelled", again),
        "25P03" | "57P01" | "57P02" | "57P03" | "57P05" | "53000" | "53200" => {
            (Unavailable, "the server ended the session or could not serve it", again)
        }
        _ if code.starts_with("08") => (Unavailable, "the connection to PostgreSQL failed", again),
        _ if code.starts_with("22") => (
            Data,
            "PostgreSQL cannot store a value",
            "see which column it is, and give it another type or load it as text",
        ),
        "23505" => (
            Data,
            "a column that must be unique has a value twice",
            "where the records are to be repaired, give the package up first (longshore pipeline NAME drop-package); or merge by that column as the primary key; or drop its unique index and hint",
        ),
        "23502" => (
            Data,
            "a column of the table must have a value, and a row has none",
            "give the rows a value, or let the column be null: ALTER TABLE … ALTER COLUMN … DROP NOT NULL",
        ),
        _ if code.starts_with("23") => (
            Data,
            "a constraint of the table refuses a row",
            "see which constraint it is; drop it, or load into another dataset",
        ),
        _ => (Destination, "PostgreSQL refused", "remove the cause and run the same command again"),
    }
}

/// `Key (sku)=(…) already exists.` names the columns; what follows are the values.
fn key_of(detail: &str) -> Option<String> {
    let (_, rest) = detail.split_once("Key (")?;
    Some(rest.split_once(")=(")?.0.to_owned())
}

/// `rule _RETURN on view raw.v depends on column "x"` names the view.
fn view_of(detail: &str) -> Option<String> {
    let (_, rest) = detail.split_once(" on view ").or_else(|| detail.split_once(" on materialized view "))?;
    Some(rest.split_once(" depends on ")?.0.to_owned())
}

/// `COPY t, line 3, column v: "…"` names the column; what follows is the value.
fn column_of(context: Option<&str>) -> Option<String> {
    let (_, rest) = context?.split_once(", column ")?;
    let end = rest.find([':', '\n']).unwrap_or(rest.len());
    Some(rest[..end].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{column_of, key_of, view_of};

    #[test]
    fn the_column_is_named_and_its_value_is_not() {
        assert_eq!(column_of(Some("COPY t, line 3, column v: \"hush\"")).as_deref(), Some("v"));
        assert_eq!(column_of(Some("COPY t, line 3")), None);
        assert_eq!(view_of("rule _RETURN on view raw.v depends on column \"x\"").as_deref(), Some("raw.v"));
        assert_eq!(key_of("Key (sku)=(hush) already exists.").as_deref(), Some("sku"));
    }
}
