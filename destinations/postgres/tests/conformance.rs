//! PostgreSQL passes the conformance suite, against a real server; tables are read back with psql.

use longshore_core::Result;
use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_testkit::conformance;
use longshore_testkit::harness::{Harness, Site};
use longshore_testkit::rows::{Rows, double};
use longshore_testkit::servers::postgres::PostgresServer;
use serde_json::Value;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug)]
struct Databases(Arc<PostgresServer>);

struct Database {
    server: Arc<PostgresServer>,
    name: String,
}

#[async_trait::async_trait]
impl Harness for Databases {
    async fn site(&self) -> Result<Arc<dyn Site>> {
        Ok(Arc::new(Database { server: Arc::clone(&self.0), name: self.0.new_database() }))
    }
}

#[async_trait::async_trait]
impl Site for Database {
    async fn open(&self) -> Result<Arc<dyn Destination>> {
        longshore_destination_postgres::open(&Connection::new(self.server.url(&self.name)))
    }

    async fn read(&self, dataset: &str, table: &str) -> Result<Option<Rows>> {
        Ok(read(&self.server, &self.name, dataset, table))
    }

    async fn clean(&self) -> Result<()> {
        self.server.drop_database(&self.name);
        Ok(())
    }
}

fn main() -> ExitCode {
    let server = Arc::new(PostgresServer::shared());
    let code = conformance::main(Arc::new(Databases(Arc::clone(&server))));
    drop(server);
    code
}

/// Returns a table in the suite's canonical form, or `None` when there is none.
fn read(server: &PostgresServer, database: &str, dataset: &str, table: &str) -> Option<Rows> {
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let columns = server.psql(
        database,
        &format!(
            "SELECT json_build_array(column_name, data_type) FROM information_schema.columns WHERE table_schema = {} AND table_name = {} ORDER BY ordinal_position",
            literal(dataset), literal(table)
        ),
    );
    let columns: Vec<(String, String)> =
        columns.lines().map(|l| serde_json::from_str(l).expect("psql prints JSON")).collect();
    if columns.is_empty() {
        return None;
    }
    let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let expressions: Vec<String> = columns.iter().map(|(c, t)| expression(&name(c), t)).collect();
    // By COPY, as psql's own tables leave out characters that have no glyph; JSON needs no quotes of these kinds.
    let sql = format!(
        "SET TimeZone = 'UTC'; COPY (SELECT row_to_json(q) FROM (SELECT {} FROM {}.{}) q) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')",
        expressions.iter().enumerate().map(|(i, e)| format!("{e} AS c{i}")).collect::<Vec<_>>().join(", "),
        name(dataset),
        name(table)
    );
    let rows = server.psql(database, &sql);
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).expect("psql prints JSON");
        let values = row.as_object().expect("a row is an object").values().zip(&columns);
        values.map(|(v, (_, t))| if t == "double precision" { number(v) } else { v.clone() }).collect()
    };
    Some(Rows { rows: rows.lines().map(row).collect(), columns: columns.into_iter().map(|(c, _)| c).collect() })
}

fn expression(column: &str, data_type: &str) -> String {
    match data_type {
        "numeric" => format!("trim_scale({column})::text"),
        "jsonb" => format!("{column}::text"),
        "bytea" => format!("encode({column}, 'hex')"),
        "date" => format!("to_char({column}, 'YYYY-MM-DD')"),
        "time without time zone" => format!("to_char({column}::interval, 'HH24:MI:SS.US')"),
        t if t.starts_with("timestamp") => format!("to_char({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        _ => column.to_owned(),
    }
}

fn number(value: &Value) -> Value {
    match value.as_f64() {
        Some(number) => double(number),
        None => value.clone(), // null, or a text such as NaN
    }
}
