//! Loading from scratch, dropping resources, and making a working folder agree: a project with files of which only new
//! ones are loaded, on DuckDB, PostgreSQL and files, in both column modes.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, Output};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    DuckDb,
    Postgres,
    Files,
}

const KINDS: [Kind; 3] = [Kind::DuckDb, Kind::Postgres, Kind::Files];
const MODES: [&str; 2] = ["native", "dlt"];

fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&[]))
}

/// One project with its destination.
struct Place {
    lab: Lab,
    url: String,
}

impl Place {
    /// Two sources; of the first one, two resources.
    fn new(kind: Kind, mode: &str, more: &str) -> Self {
        let lab = Lab::new();
        let url = match kind {
            Kind::DuckDb => format!("duckdb://{}", lab.path("shop.duckdb").display()),
            Kind::Files => format!("file://{}", lab.path("files").display()),
            Kind::Postgres => server().url(&server().new_database()),
        };
        let project = format!(
            r#"
[pipeline]
name = "shop"
dataset = "raw"
system_columns = "{mode}"
{more}

[sources.drop]
type = "files"
[[sources.drop.resources]]
name = "orders"
files = "in/*.ndjson"
only_new = true
[[sources.drop.resources]]
name = "Prices"
files = ["prices.csv"]
only_new = true

[sources.other]
type = "files"
[[sources.other.resources]]
name = "people"
files = ["people.ndjson"]
only_new = true
"#
        );
        lab.write("longshore.toml", project);
        lab.write("in/a.ndjson", "{\"id\":1,\"lines\":[{\"n\":1},{\"n\":2}],\"old\":\"x\"}\n");
        lab.write("in/b.ndjson", "{\"id\":2}\n");
        lab.write("prices.csv", "sku,price\ntea,1.50\ncup,20\n");
        lab.write("people.ndjson", "{\"name\":\"Ada\"}\n");
        Place { lab, url }
    }

    fn command(&self, machine: &str, args: &[&str]) -> Command {
        let mut command = self.lab.command(args);
        command.env("LONGSHORE_DATA_DIR", self.lab.path(machine)).env("HOME", self.lab.path("home"));
        command.env("LONGSHORE_DESTINATION", &self.url).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command("data", args))
    }

    fn ok(&self, args: &[&str]) -> Output {
        let output = self.run(args);
        assert_eq!(output.status, Some(0), "{args:?}: {output:#?}");
        output
    }

    fn rows(&self, sql: &str) -> Vec<Value> {
        let args = ["query", sql, "--pipeline", "shop", "--dataset", "raw", "--format", "json"];
        let output = self.ok(&args);
        output.stdout.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
    }

    fn ids(&self, table: &str) -> Vec<i64> {
        let rows = self.rows(&format!("SELECT id FROM {table} ORDER BY id"));
        rows.iter().map(|row| row["id"].as_i64().expect("a number")).collect()
    }

    /// The dataset's tables but for the loader's own, with their rows.
    fn tables(&self) -> Vec<(String, u64)> {
        let output = self.ok(&["tables", "--pipeline", "shop", "--dataset", "raw", "--json"]);
        let document = output.json();
        let tables = document["tables"].as_array().expect("a list").iter();
        let tables =
            tables.map(|t| (t["table"].as_str().expect("a name").to_owned(), t["rows"].as_u64().expect("rows")));
        let mut tables: Vec<_> = tables.filter(|(name, _)| !name.starts_with('_')).collect();
        tables.sort();
        tables
    }
}

fn named(tables: &[(&str, u64)]) -> Vec<(String, u64)> {
    tables.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
}

fn everywhere(check: impl Fn(Kind, &str) + Sync) {
    std::thread::scope(|scope| {
        for kind in KINDS {
            let check = &check;
            scope.spawn(move || MODES.iter().for_each(|mode| check(kind, mode)));
        }
    });
}

const ALL: [(&str, u64); 4] = [("orders", 2), ("orders__lines", 2), ("people", 1), ("prices", 2)];

#[test]
fn full_refresh_loads_everything_once() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        place.ok(&["run"]);
        assert_eq!(place.tables(), named(&ALL), "only new files are loaded");
        fs::remove_file(place.lab.path("in/a.ndjson")).expect("it is there");
        place.lab.write("in/c.ndjson", "{\"id\":3,\"fresh\":true}\n");
        let output = place.ok(&["run", "--full-refresh"]);
        assert!(output.stdout.contains("from scratch"), "{output:#?}");
        assert_eq!(place.ids("orders"), [2, 3], "{kind:?} {mode}");
        let expect = [("orders", 2), ("people", 1), ("prices", 2)];
        assert_eq!(place.tables(), named(&expect), "{kind:?} {mode}: tables of what is gone are gone");
        let columns = place.rows("SELECT * FROM orders");
        assert!(columns[0].get("old").is_none() && columns[0].get("fresh").is_some(), "{columns:?}");
        place.ok(&["run"]);
        assert_eq!(place.ids("orders"), [2, 3], "and the state is that of the refresh");
    });
}

#[test]
fn drop_data_keeps_tables_and_columns() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        fs::remove_file(place.lab.path("in/a.ndjson")).expect("it is there");
        place.ok(&["run", "--refresh", "drop_data", "--select", "orders"]);
        let expect = [("orders", 1), ("orders__lines", 0), ("people", 1), ("prices", 2)];
        assert_eq!(place.tables(), named(&expect), "{kind:?} {mode}");
        assert_eq!(place.rows("SELECT old FROM orders"), [json!({"old": null})]);
        place.ok(&["run"]);
        assert_eq!(place.tables(), named(&expect), "what is not refreshed keeps its state");
    });
}

#[test]
fn drop_resources_leaves_other_resources_alone() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        fs::remove_file(place.lab.path("in/a.ndjson")).expect("it is there");
        place.ok(&["run", "--refresh", "drop_resources", "--select", "orders"]);
        assert_eq!(place.tables(), named(&[("orders", 1), ("people", 1), ("prices", 2)]), "{kind:?} {mode}");
        place.ok(&["run"]);
        assert_eq!(place.tables(), named(&[("orders", 1), ("people", 1), ("prices", 2)]));
    });
}

#[test]
fn drop_sources_takes_all_of_a_source_but_nothing_of_another() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        place.ok(&["run", "--refresh", "drop_sources", "--select", "orders"]);
        assert_eq!(place.tables(), named(&[("orders", 2), ("orders__lines", 2), ("people", 1)]), "{kind:?} {mode}");
        place.ok(&["run"]);
        assert_eq!(place.tables(), named(&ALL), "its other resource is loaded again, since nothing is known of it");
    });
}

#[test]
fn the_project_may_say_it() {
    let place = Place::new(Kind::DuckDb, "native", "refresh = \"drop_data\"");
    place.ok(&["run"]);
    place.ok(&["run"]);
    assert_eq!(place.tables(), named(&ALL), "everything was loaded again, once");
    place.lab.write(
        "longshore.toml",
        fs::read_to_string(place.lab.path("longshore.toml")).unwrap().replace("drop_data", "drop_dat"),
    );
    let wrong = place.run(&["check"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("did you mean 'drop_data'?"), "{wrong:#?}");
}

#[test]
fn a_loaded_file_may_begin_from_scratch() {
    let lab = Lab::new();
    lab.write("a.ndjson", "{\"id\":1,\"l\":[1]}\n{\"id\":1}\n");
    lab.write("b.ndjson", "{\"id\":\"now a text\"}\n");
    lab.load(&["a.ndjson", "--table", "t"]);
    lab.load(&["a.ndjson", "--table", "other"]);
    lab.load(&["b.ndjson", "--table", "t", "--refresh", "drop_resources"]);
    assert_eq!(lab.tables(), named(&[("other", 2), ("other__l", 1), ("t", 1)]));
    assert_eq!(lab.rows("SELECT id FROM t"), [[json!("now a text")]]);
    lab.load(&["b.ndjson", "--table", "t", "--refresh", "drop_data"]);
    assert_eq!(lab.count("t"), 1);
    lab.load(&["b.ndjson", "--table", "t", "--refresh", "drop_sources"]);
    assert_eq!(lab.tables(), named(&[("t", 1)]));
    let both = lab.run(&["load", "b.ndjson", "--refresh", "drop_data", "--full-refresh"]);
    assert_eq!(both.status, Some(2));
}

/// Killed at any moment and run again: the old rows or the new ones, never both, never none.
#[test]
fn a_refresh_survives_kills() {
    for kind in KINDS {
        let place = Place::new(kind, "native", "");
        place.ok(&["run"]);
        place.lab.write(
            "in/c.ndjson",
            (3..3000).map(|id| format!("{{\"id\":{id},\"lines\":[{{\"n\":{id}}}]}}\n")).collect::<String>(),
        );
        let usual = std::time::Instant::now();
        place.ok(&["run", "--full-refresh"]);
        let usual = usual.elapsed();
        for (n, part) in [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0].into_iter().enumerate() {
            place.lab.write("in/d.ndjson", format!("{{\"id\":{}}}\n", 5000 + n));
            let before = place.ids("orders");
            let mut child = place.command("data", &["run", "--full-refresh"]).spawn().expect("the binary starts");
            std::thread::sleep(usual.mul_f64(part));
            let _ = child.kill(); // it may be over
            child.wait().expect("it has ended");
            let now = place.ids("orders");
            let after: Vec<i64> = (1..3000).chain([5000 + n as i64]).collect();
            assert!(now == before || now == after, "{kind:?}: neither the old rows nor the new ones");
            place.ok(&["run", "--full-refresh"]);
            assert_eq!(place.ids("orders"), after, "{kind:?}");
            let lines = place.rows("SELECT count(*) AS n FROM orders__lines");
            assert_eq!(lines, [json!({"n": 2 + 2997})], "{kind:?}");
        }
    }
}

#[test]
fn a_plan_shows_what_a_refresh_takes_away() {
    let place = Place::new(Kind::DuckDb, "native", "");
    place.ok(&["run"]);
    fs::remove_file(place.lab.path("in/a.ndjson")).expect("it is there");
    let plan = place.run(&["plan", "run", "--full-refresh", "--json"]);
    assert_eq!(plan.status, Some(3), "{plan:#?}");
    let document = plan.json();
    let at = &document["destinations"][0];
    let tables = at["tables"].as_array().expect("a list");
    let of = |name: &str| tables.iter().find(|t| t["table"] == name).unwrap_or_else(|| panic!("{name}: {document:#}"));
    assert_eq!((&of("orders")["removed_rows"], &of("orders")["is_new"]), (&json!(2), &json!(true)));
    assert_eq!(of("orders__lines")["write"], "drop");
    let statements = at["statements"].to_string();
    assert!(statements.contains("DROP TABLE") && statements.contains("orders__lines"), "{statements}");
    assert_eq!(place.tables(), named(&ALL), "nothing was done");
}

#[test]
fn drop_takes_resources_with_their_tables_and_state() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        let asked = place.run(&["pipeline", "shop", "drop", "orders"]);
        assert_eq!(asked.status, Some(2), "nobody can be asked: {asked:#?}");
        assert!(asked.stdout.contains("orders__lines") && asked.stderr.contains("--yes"), "{asked:#?}");
        assert_eq!(place.tables(), named(&ALL));
        let output = place.ok(&["pipeline", "shop", "drop", "orders", "--yes"]);
        assert!(output.stdout.contains("sources.drop.resources.orders"), "{output:#?}");
        assert_eq!(place.tables(), named(&[("people", 1), ("prices", 2)]), "{kind:?} {mode}");
        // It is a load like any other, which another machine goes on from.
        let again = Output::of(place.command("elsewhere", &["run"]));
        assert_eq!(again.status, Some(0), "{again:#?}");
        assert_eq!(place.tables(), named(&ALL), "{kind:?} {mode}: the files are new again");
    });
}

#[test]
fn drop_by_expressions_all_and_state_only() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        let wrong = place.run(&["pipeline", "shop", "drop", "order", "--yes"]);
        assert_eq!(wrong.status, Some(2));
        assert!(wrong.stderr.contains("there are: ") && wrong.stderr.contains("orders"), "{wrong:#?}");
        assert_eq!(place.run(&["pipeline", "shop", "drop", "--yes"]).status, Some(2), "nothing is named");
        place.ok(&["pipeline", "shop", "drop", "re:p", "--yes"]);
        assert_eq!(place.tables(), named(&[("orders", 2), ("orders__lines", 2)]), "{kind:?} {mode}");
        place.ok(&["pipeline", "shop", "drop", "orders", "--state-only", "--yes"]);
        assert_eq!(place.tables(), named(&[("orders", 2), ("orders__lines", 2)]));
        place.ok(&["run"]);
        assert_eq!(place.ids("orders"), [1, 1, 2, 2], "nothing was known of the files");
        let document =
            place.ok(&["pipeline", "shop", "drop", "--state-paths", "files.orders", "--yes", "--json"]).json();
        assert_eq!(document["dropped"]["state"], json!(["sources.drop.files.orders"]));
        place.ok(&["pipeline", "shop", "drop", "--all", "--yes"]);
        assert_eq!(place.tables(), []);
        place.ok(&["run"]);
        assert_eq!(place.tables(), named(&ALL));
    });
}

#[test]
fn drop_is_refused_while_packages_wait() {
    let place = Place::new(Kind::DuckDb, "native", "");
    place.ok(&["run"]);
    place.lab.write("broken.duckdb", "this is no database");
    let broken = format!("duckdb://{}", place.lab.path("broken.duckdb").display());
    place.lab.write("in/c.ndjson", "{\"id\":3}\n");
    assert_eq!(place.run(&["run", "--destination", &place.url, "--destination", &broken]).status, Some(1));
    let refused = place.run(&["pipeline", "shop", "drop", "orders", "--yes"]);
    assert_eq!(refused.status, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("packages wait") && refused.stderr.contains("drop-package"), "{refused:#?}");
    place.ok(&["pipeline", "shop", "drop-package"]);
    place.ok(&["pipeline", "shop", "drop", "orders", "--yes"]);
    assert_eq!(place.tables(), named(&[("people", 1), ("prices", 2)]));
}

#[test]
fn a_bare_machine_knows_after_sync_what_stands_there() {
    everywhere(|kind, mode| {
        let place = Place::new(kind, mode, "");
        place.ok(&["run"]);
        let bare = |args: &[&str]| {
            let output = Output::of(place.command("bare", args));
            assert_eq!(output.status, Some(0), "{args:?}: {output:#?}");
            output
        };
        let at = ["pipeline", "shop", "sync", "--dataset", "raw"];
        let output = bare(&at);
        assert!(
            output.stdout.contains("4 tables") && output.stdout.contains("drop, other"),
            "{kind:?} {mode} {output:#?}"
        );
        let info = bare(&["pipeline", "shop", "info", "--json"]).json();
        assert_eq!((&info["tables"], &info["dataset"]), (&json!(4), &json!("raw")));
        let last = place.ok(&["pipeline", "shop", "info", "--json"]).json();
        assert_eq!(info["last_load"], last["last_load"]);
        let theirs = place.ok(&["pipeline", "shop", "schema"]).stdout;
        assert_eq!(bare(&["pipeline", "shop", "schema"]).stdout, theirs);
        // Where to is known from then on.
        bare(&["pipeline", "shop", "drop", "people", "--yes"]);
        assert_eq!(
            bare(&["pipeline", "shop", "info", "--json"]).json()["tables"],
            json!(3),
            "what was loaded since counts"
        );
        let synced = bare(&["pipeline", "shop", "sync", "--json"]).json();
        assert_eq!((&synced["tables"], &synced["removed"]), (&json!(3), &json!(1)));
    });
}

#[test]
fn sync_protects_packages_that_wait() {
    let place = Place::new(Kind::DuckDb, "native", "");
    let other = format!("duckdb://{}", place.lab.path("other.duckdb").display());
    place.lab.write("other.duckdb", "this is no database");
    assert_eq!(place.run(&["run", "--destination", &place.url, "--destination", &other]).status, Some(1));
    fs::remove_file(place.lab.path("other.duckdb")).expect("it is there");
    // Another machine loads into the one that failed.
    let elsewhere = Output::of(place.command("elsewhere", &["run", "--destination", &other]));
    assert_eq!(elsewhere.status, Some(0), "{elsewhere:#?}");
    let sync = |more: &[&str]| {
        place.ok(&[&["pipeline", "shop", "sync", "--destination", &other, "--json"], more].concat()).json()
    };
    let synced = sync(&[]);
    assert_eq!(
        (synced["waiting"].as_array().map(Vec::len), synced["overtaken"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    assert_eq!(place.ok(&["pipeline", "shop", "packages", "--json"]).json().as_array().map(Vec::len), Some(1));
    let synced = sync(&["--drop-overtaken"]);
    assert_eq!(
        (synced["waiting"].as_array().map(Vec::len), synced["dropped"].as_array().map(Vec::len)),
        (Some(0), Some(1))
    );
    let nothing = place.ok(&["pipeline", "shop", "sync", "--dataset", "empty"]);
    assert!(nothing.stdout.contains("has nothing of pipeline shop"), "{nothing:#?}");
}
