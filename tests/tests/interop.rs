//! Longshore and dlt take turns on one dataset: each goes on from schema and state that the other stored.
//!
//! Rows are read by dlt. What merging makes of the files that dlt wrote is in `interop_files.rs`.

use longshore_testkit::servers::bigquery::BigQueryServer;
use longshore_testkit::servers::http::{Answer, Server};
use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{DATASET, Lab, PIPELINE, Shared};
use serde_json::{Value, json};
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DuckDb,
    Postgres,
    Files,
    BigQuery,
}

fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::shared)
}

fn bigquery() -> &'static BigQueryServer {
    static SERVER: OnceLock<BigQueryServer> = OnceLock::new();
    SERVER.get_or_init(BigQueryServer::start)
}

/// A new dataset.
fn place(kind: Kind) -> Shared {
    let lab = Lab::new();
    let url = match kind {
        Kind::DuckDb => format!("duckdb://{}", lab.path("shared.duckdb").display()),
        Kind::Files => format!("file://{}", lab.path("files").display()),
        Kind::Postgres => server().url(&server().new_database()),
        Kind::BigQuery => {
            bigquery().remove(DATASET); // of an earlier test
            bigquery().url()
        }
    };
    let mut place = Shared::new(lab, url);
    place.packages = (kind == Kind::BigQuery).then(|| bigquery().packages().into());
    place
}

const FIRST: &str = "{\"id\":1,\"v\":\"a\",\"lines\":[{\"n\":1},{\"n\":2}]}\n{\"id\":2,\"v\":\"b\",\"lines\":[]}\n";
const LATER: &str = "{\"id\":4,\"v\":\"d\",\"lines\":[{\"n\":4}],\"new\":2.5}\n";

fn they_take_turns_appending(kind: Kind) {
    let place = place(kind);
    place.ours(FIRST, &[]);
    let read = place.dlt(json!({}));
    assert_eq!(read["began_with"], "shop");
    assert_eq!(read["rows"], json!({ "orders": [[1, "a"], [2, "b"]], "orders__lines": [[1], [2]] }));
    let dlt = json!([{ "id": 3, "v": "c", "lines": [{ "n": 3 }], "odd": true }]);
    let read = place.dlt_loads(dlt, "append".into());
    assert_eq!(read["schemas"], json!(["shop"]));
    place.ours(LATER, &[]);
    let read = place.dlt_loads(json!([{ "id": 5, "v": "e" }]), "append".into());
    assert_eq!(
        read["rows"],
        json!({ "orders": [[1, "a"], [2, "b"], [3, "c"], [4, "d"], [5, "e"]], "orders__lines": [[1], [2], [3], [4]] })
    );
    assert_eq!(read["tables"], json!(["orders", "orders__lines"]));
    assert_eq!((&read["began_with"], &read["schemas"]), (&json!("shop"), &json!(["shop"])));
}

fn we_go_on_where_dlt_began(kind: Kind) {
    let place = place(kind);
    place.dlt_loads(json!([{ "id": 1, "v": "a", "lines": [{ "n": 1 }] }, { "id": "x1" }]), "append".into());
    place.ours(LATER, &[]);
    let columns = json!({ "orders": ["id", "id__v_text", "v"], "orders__lines": ["n"] });
    let read = place.dlt(json!({ "read": columns }));
    let rows = json!({ "orders": [[1, null, "a"], [4, null, "d"], [null, "x1", null]], "orders__lines": [[1], [4]] });
    assert_eq!(read["rows"], rows);
    place.ours("{\"id\":\"x2\",\"v\":\"f\"}\n", &[]);
    let read = place.dlt(json!({ "read": { "orders": ["id__v_text"] } }));
    assert_eq!(read["rows"]["orders"], json!([["x1"], ["x2"], [null], [null]]));
    // Replacing takes out what dlt loaded too.
    place.ours(FIRST, &["--write-disposition", "replace"]);
    let read = place.dlt(json!({}));
    assert_eq!(read["rows"], json!({ "orders": [[1, "a"], [2, "b"]], "orders__lines": [[1], [2]] }));
}

/// A column's type decides, whoever gave it.
fn json_columns_stay_json(kind: Kind) {
    let place = place(kind);
    let first = json!([{ "id": 1, "v": { "a": 1 }, "lines": [{ "n": [1] }] }]);
    let hint = json!({ "v": { "data_type": "json" }, "lines": { "data_type": "json" } });
    place.dlt(json!({ "table": "orders", "records": first, "columns": hint, "read": { "orders": ["id"] } }));
    place.ours("{\"id\":2,\"v\":[1,{\"b\":2}],\"lines\":[{\"n\":[2]}]}\n", &[]);
    let more = json!([{ "id": 3, "v": { "c": { "d": 3 } }, "lines": [] }]);
    let read = place.dlt(json!({ "table": "orders", "records": more, "read": { "orders": ["id"] } }));
    assert_eq!((&read["tables"], &read["rows"]["orders"]), (&json!(["orders"]), &json!([[1], [2], [3]])), "{read}");
    let read = place.dlt(json!({ "read": { "orders": ["lines"] } }));
    let lines = read["rows"]["orders"].to_string().replace([' ', '\\'], "");
    assert!(lines.contains(r#"[{"n":[1]}]"#) && lines.contains(r#"[{"n":[2]}]"#), "{read}");
}

fn they_take_turns_merging(kind: Kind, dlt_begins: bool) {
    let place = place(kind);
    let merge = ["--write-disposition", "merge", "--primary-key", "id"];
    match dlt_begins {
        false => place.ours(FIRST, &merge),
        true => {
            let first = json!([{ "id": 1, "v": "a", "lines": [{ "n": 1 }, { "n": 2 }] }, { "id": 2, "v": "b" }]);
            place.dlt_loads(first, "merge".into());
        }
    }
    let dlt = json!([{ "id": 1, "v": "A", "lines": [{ "n": 9 }] }, { "id": 3, "v": "c", "lines": [{ "n": 3 }] }]);
    let read = place.dlt_loads(dlt, "merge".into());
    assert_eq!(read["rows"], json!({ "orders": [[1, "A"], [2, "b"], [3, "c"]], "orders__lines": [[3], [9]] }));
    place.ours("{\"id\":3,\"v\":\"C\",\"lines\":[]}\n{\"id\":4,\"v\":\"d\",\"lines\":[{\"n\":4}]}\n", &merge);
    let read = place.dlt_loads(json!([{ "id": 2, "v": "B", "lines": [{ "n": 5 }] }]), "merge".into());
    let rows = json!({ "orders": [[1, "A"], [2, "B"], [3, "C"], [4, "d"]], "orders__lines": [[4], [5], [9]] });
    assert_eq!(read["rows"], rows);
}

/// Orders by the moment they changed, from `since` on.
fn api() -> Server {
    Server::start(|asked| {
        let all = [("2024-01-01T00:00:00Z", 1), ("2024-01-02T00:00:00Z", 2), ("2024-01-03T00:00:00Z", 3)];
        let since = asked.query.get("since").cloned().unwrap_or_default();
        let found = all.iter().filter(|(at, _)| *at >= since.as_str());
        Answer::json(&found.map(|(at, id)| json!({ "id": id, "v": "of api", "at": at })).collect::<Value>())
    })
}

fn cursors_go_on(kind: Kind) {
    let (place, server) = (place(kind), api());
    let project = place.lab.write(
        "longshore.toml",
        format!(
            "[pipeline]\nname = \"{PIPELINE}\"\ndataset = \"{DATASET}\"\nsystem_columns = \"dlt\"\n\n[sources.shop]\ntype = \"rest_api\"\n\n[sources.shop.client]\nbase_url = \"{}\"\n\n[[sources.shop.resources]]\nname = \"orders\"\n\n[sources.shop.resources.endpoint]\npath = \"orders\"\npaginator = \"single_page\"\n\n[sources.shop.resources.endpoint.params.since]\ntype = \"incremental\"\ncursor_path = \"at\"\ninitial_value = \"2024-01-01T00:00:00Z\"\n",
            server.url
        ),
    );
    let folder = project.parent().and_then(|p| p.to_str()).expect("a folder");
    let dlt = |records: Value| {
        place.dlt(json!({ "table": "orders", "source": "shop", "cursor": "at", "records": records, "read": { "orders": ["id"] } }))
    };
    let first = json!([{ "id": 1, "v": "a", "at": "2024-01-01T00:00:00Z" }, { "id": 2, "v": "of api", "at": "2024-01-02T00:00:00Z" }]);
    assert_eq!(dlt(first)["start"], json!(null));
    place.run(&["run", folder, "--destination", &place.url]);
    let asked = server.asked();
    assert!(asked.len() == 1 && asked[0].contains("2024-01-02T00"), "{asked:?}");
    // The record at the boundary, which dlt has loaded, is not loaded again: its hash is in the state.
    let last = json!([{ "id": 3, "v": "of api", "at": "2024-01-03T00:00:00Z" }, { "id": 4, "v": "d", "at": "2024-01-04T00:00:00Z" }]);
    let read = dlt(last);
    assert_eq!(read["start"], "2024-01-03T00:00:00Z");
    assert_eq!(read["rows"]["orders"], json!([[1], [2], [3], [4]]));
    assert_eq!(
        read["sources"]["shop"]["resources"]["orders"]["incremental"]["at"]["last_value"],
        "2024-01-04T00:00:00Z"
    );
    assert_eq!(read["schemas"], json!(["shop"]));
}

/// Tables, schema and cursors that Longshore drops are gone for dlt too; with what it loads then, we go on.
fn what_we_drop_is_gone(kind: Kind) {
    let place = place(kind);
    let dlt = |records: Value, columns: Value| {
        let job = json!({ "table": "orders", "source": "shop", "cursor": "at", "records": records, "read": { "orders": columns } });
        place.dlt(job)
    };
    dlt(json!([{ "id": 1, "old": true, "at": "2024-01-01T00:00:00Z", "lines": [{ "n": 1 }] }]), json!(["id"]));
    let at = ["--destination", &place.url, "--dataset", DATASET, "--yes"];
    place.run(&[&["pipeline", PIPELINE, "drop", "orders"], &at[..]].concat());
    let read = dlt(json!([{ "id": 2, "at": "2023-01-01T00:00:00Z" }]), json!(["id"]));
    assert_eq!((&read["start"], &read["rows"]["orders"]), (&json!(null), &json!([[2]])), "{read}");
    assert_eq!(read["tables"], json!(["orders"]));
    place.ours("{\"id\":3,\"v\":\"c\"}\n", &["--refresh", "drop_data"]);
    // The load has no cursor, and takes nobody else's away.
    let read = place.dlt(json!({ "read": { "orders": ["id", "v"] } }));
    assert_eq!(read["rows"]["orders"], json!([[3, "c"]]));
    assert!(read["sources"]["shop"]["resources"]["orders"].is_object(), "{read}");
}

macro_rules! on {
    ($($destination:ident: $kind:expr),*) => {$(
        mod $destination {
            use super::*;
            #[test]
            fn they_append_by_turns() {
                they_take_turns_appending($kind);
            }
            #[test]
            fn what_dlt_began_goes_on() {
                we_go_on_where_dlt_began($kind);
            }
            #[test]
            fn what_is_json_stays_json() {
                json_columns_stay_json($kind);
            }
            #[test]
            fn cursors_go_on_by_turns() {
                cursors_go_on($kind);
            }
            #[test]
            fn what_longshore_drops_is_gone() {
                what_we_drop_is_gone($kind);
            }
        }
    )*};
}

on!(duckdb: Kind::DuckDb, postgres: Kind::Postgres, files: Kind::Files);

#[test]
fn they_merge_by_turns_in_duckdb() {
    they_take_turns_merging(Kind::DuckDb, false);
    they_take_turns_merging(Kind::DuckDb, true);
}

#[test]
fn they_merge_by_turns_in_postgres() {
    they_take_turns_merging(Kind::Postgres, false);
    they_take_turns_merging(Kind::Postgres, true);
}

/// One after the other: the tests above share one dataset's name, and so one emulator's dataset.
#[test]
fn all_of_it_in_bigquery() {
    they_take_turns_appending(Kind::BigQuery);
    we_go_on_where_dlt_began(Kind::BigQuery);
    cursors_go_on(Kind::BigQuery);
    they_take_turns_merging(Kind::BigQuery, false);
    they_take_turns_merging(Kind::BigQuery, true);
}
