//! The binary is killed while it loads into three destinations at once, and run again: DuckDB, PostgreSQL and files
//! each have every record once, and the same. Appended, merged and replaced by turns; read back by other clients.
//!
//! `LONGSHORE_KILLS_THREE` is the number of kills (64), `LONGSHORE_SEED` repeats a run's dice.

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, Output, rows, write_nested};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const RECORDS: u64 = 3_000;
const WORKERS: usize = 2;

/// What each round loads, and how many records there are afterwards.
const ROUNDS: [(&[&str], u64); 4] = [
    (&["half.ndjson"], RECORDS / 2),
    (&["all.ndjson", "--write-disposition", "merge", "--primary-key", "id"], RECORDS),
    (&["half.ndjson"], RECORDS + RECORDS / 2),
    (&["all.ndjson", "--write-disposition", "replace"], RECORDS),
];

/// Counts, sums, links, and every text; the same in DuckDB and PostgreSQL.
const CONTENT: &str = "SELECT concat_ws(' ',
    (SELECT count(*) FROM t), (SELECT count(DISTINCT id) FROM t), (SELECT count(DISTINCT _row_id) FROM t),
    (SELECT md5(string_agg(concat_ws('|', id, name, total, who__mail), ',' ORDER BY id)) FROM t),
    (SELECT count(*) FROM t__lines), (SELECT count(*) FROM t__lines__sizes), (SELECT count(*) FROM t__who__tags),
    (SELECT md5(string_agg(concat_ws('|', t.id, c._list_idx, c.sku, c.n), ',' ORDER BY t.id, c._list_idx))
        FROM t__lines c JOIN t ON t._row_id = c._parent_id),
    (SELECT md5(string_agg(concat_ws('|', t.id, l.n, c._list_idx, c.value), ',' ORDER BY t.id, l.n, c._list_idx))
        FROM t__lines__sizes c JOIN t__lines l ON l._row_id = c._parent_id JOIN t ON t._row_id = c._root_id),
    (SELECT md5(string_agg(concat_ws('|', t.id, c._list_idx, c.value), ',' ORDER BY t.id, c._list_idx))
        FROM t__who__tags c JOIN t ON t._row_id = c._parent_id))";
const TABLES: [&str; 4] = ["t", "t__lines", "t__lines__sizes", "t__who__tags"];

/// Dice that can be thrown again in the same order.
struct Dice(u64);

impl Dice {
    fn new(stream: u64) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
        let seed = std::env::var("LONGSHORE_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(clock);
        eprintln!("LONGSHORE_SEED={seed} (stream {stream})");
        Dice(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to 1.
    fn throw(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One folder with its three destinations.
struct Place<'a> {
    lab: Lab,
    server: &'a PostgresServer,
    database: String,
}

impl<'a> Place<'a> {
    fn new(server: &'a PostgresServer) -> Self {
        let lab = Lab::new();
        write_nested(&lab.path("half.ndjson"), RECORDS / 2);
        write_nested(&lab.path("all.ndjson"), RECORDS);
        Place { lab, server, database: server.new_database() }
    }

    fn command(&self, round: usize) -> std::process::Command {
        let mut args: Vec<&str> = ["load"].iter().chain(ROUNDS[round].0).copied().collect();
        let url = self.server.url(&self.database);
        let file = format!("duckdb://{}", self.lab.database().display());
        args.extend(["--table", "t", "--json", "--destination", &file]);
        args.extend(["--destination", &url, "--destination", "./lake"]);
        self.lab.command(&args)
    }

    /// Runs one round, killed now and then, until it is done; returns the number of kills that hit.
    fn round(&self, round: usize, pace: &AtomicU64, dice: &mut Dice) -> usize {
        let mut kills = 0;
        loop {
            let usual = Duration::from_micros(pace.load(Ordering::Relaxed));
            let mut child = self.command(round).spawn().expect("the binary starts");
            std::thread::sleep(usual.mul_f64(dice.throw() * 1.05));
            let _ = child.kill(); // it may be over
            let output = Output::from(child.wait_with_output().expect("a child can be waited for"));
            assert!(output.status.is_none_or(|s| s == 0), "a run that was not killed ends well: {output:#?}");
            kills += usize::from(output.status.is_none());
            if output.status == Some(0) || self.loads_done() > round {
                return kills;
            }
            if dice.throw() < 0.8 {
                break;
            }
        }
        let began = Instant::now();
        let output = Output::of(self.command(round));
        assert_eq!(output.status, Some(0), "round {round}: {output:#?}");
        let report = output.json();
        let all = report["destinations"].as_array().expect("a list of destinations");
        assert!(all.len() == 3 && all.iter().all(|d| d["committed"] == true), "{report}");
        if report["outcome"] == "loaded" {
            let took = began.elapsed().as_micros() as u64;
            pace.store((pace.load(Ordering::Relaxed) * 3 + took) / 4, Ordering::Relaxed);
        }
        kills
    }

    /// Loads whose packages were filed: the run's last act.
    fn loads_done(&self) -> usize {
        fs::read_dir(self.lab.data_dir().join("pipelines/longshore/loaded")).map_or(0, Iterator::count)
    }

    fn check(&self, round: usize, expected: &str) {
        let in_duckdb = one_text(rows(&self.lab.path("load.duckdb"), CONTENT));
        let sql = format!("SET search_path = longshore_dataset; {CONTENT}");
        let in_postgres = self.server.psql(&self.database, &sql);
        let in_postgres = in_postgres.lines().last().unwrap_or_default().to_owned();
        assert_eq!(in_duckdb, expected, "DuckDB after round {round}");
        assert_eq!(in_postgres, expected, "PostgreSQL after round {round}");
        assert_eq!(self.in_files(), expected, "files after round {round}");
        let loads = round as u64 + 1;
        let loaded = rows(&self.lab.path("load.duckdb"), "SELECT count(*) FROM _loads");
        assert_eq!(loaded[0][0].as_u64(), Some(loads));
        assert_eq!(self.manifests().len() as u64, loads);
        // What a killed process left beside them goes; then there is nothing that no manifest names.
        let clean = self.lab.run(&["clean", "--destination", "./lake", "--json"]);
        assert_eq!(clean.status, Some(0), "{clean:#?}");
        for table in TABLES {
            let named: BTreeSet<String> = self.files(table).into_iter().collect();
            assert_eq!(names(&self.dataset().join(table)), named, "{table} after round {round}: {}", clean.stdout);
        }
        assert_eq!(names(&self.dataset().join("_staging")), BTreeSet::new());
    }

    fn dataset(&self) -> std::path::PathBuf {
        self.lab.path("lake/longshore_dataset")
    }

    fn manifests(&self) -> Vec<Value> {
        let folder = self.dataset().join("_manifests");
        let files = names(&folder).into_iter().filter(|n| n.ends_with(".json"));
        let read = |name: String| fs::read(folder.join(name)).expect("a manifest can be read");
        files.map(|name| serde_json::from_slice(&read(name)).expect("a manifest is JSON")).collect()
    }

    /// Names of the table's files that count, by the manifests alone.
    fn files(&self, table: &str) -> Vec<String> {
        let manifests = self.manifests();
        let of = |key: &str| -> Vec<Value> {
            let entries = manifests.iter().flat_map(|m| m["tables"].as_array().into_iter().flatten());
            entries
                .filter(|t| t["table"] == table)
                .flat_map(|t| t[key].as_array().cloned().unwrap_or_default())
                .collect()
        };
        let removed = of("removed");
        let added = of("added").into_iter().map(|f| f["path"].clone()).filter(|p| !removed.contains(p));
        let name = |path: Value| path.as_str().and_then(|p| p.rsplit('/').next()).expect("a path").to_owned();
        added.map(name).collect()
    }

    /// The content of the files, as DuckDB for Python reads them.
    fn in_files(&self) -> String {
        let view = |table: &str| {
            let paths: Vec<String> = self
                .files(table)
                .iter()
                .map(|f| format!("'{}'", self.dataset().join(table).join(f).display()))
                .collect();
            format!("{table} AS (SELECT * FROM read_parquet([{}], union_by_name = true))", paths.join(", "))
        };
        let views: Vec<String> = TABLES.iter().map(|t| view(t)).collect();
        one_text(rows(&self.lab.path("load.duckdb"), &format!("WITH {} {CONTENT}", views.join(", "))))
    }
}

fn one_text(rows: Vec<Vec<Value>>) -> String {
    rows[0][0].as_str().expect("a text").to_owned()
}

/// Names of files in a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|e| e.path().is_file()).filter_map(|e| e.file_name().into_string().ok()).collect()
}

#[test]
fn killed_anywhere_three_destinations_end_complete_and_equal() {
    let kills: usize = std::env::var("LONGSHORE_KILLS_THREE")
        .ok()
        .map_or(64, |n| n.parse().expect("LONGSHORE_KILLS_THREE is a number"));
    let server = PostgresServer::shared();
    // What the rounds make when nobody disturbs them.
    let quiet = Place::new(&server);
    let began = Instant::now();
    let expected: Vec<String> = (0..ROUNDS.len())
        .map(|round| {
            let output = Output::of(quiet.command(round));
            assert_eq!(output.status, Some(0), "{output:#?}");
            let content = one_text(rows(&quiet.lab.path("load.duckdb"), CONTENT));
            quiet.check(round, &content);
            assert!(content.starts_with(&format!("{} ", ROUNDS[round].1)), "round {round}: {content}");
            content
        })
        .collect();
    let pace = AtomicU64::new((began.elapsed() / ROUNDS.len() as u32).as_micros() as u64);
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (server, expected, pace, done) = (&server, &expected, &pace, &done);
            scope.spawn(move || {
                let mut dice = Dice::new(worker as u64);
                while done.load(Ordering::Relaxed) < kills {
                    let place = Place::new(server);
                    for (round, expected) in expected.iter().enumerate() {
                        done.fetch_add(place.round(round, pace, &mut dice), Ordering::Relaxed);
                        place.check(round, expected);
                    }
                }
            });
        }
    });
    eprintln!("{} kills hit", done.load(Ordering::Relaxed));
}
