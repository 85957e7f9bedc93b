//! Destinations of every kind by the names a project gives them: databases, a folder and three object stores at once.

#[path = "../../destinations/filesystem/tests/common/azurite.rs"]
#[allow(unreachable_pub)]
mod azurite;
#[path = "../../destinations/filesystem/tests/common/servers.rs"]
#[allow(dead_code, unreachable_pub)]
mod servers;

use longshore_testkit::servers::postgres::PostgresServer;
use longshore_tests::{Lab, Output};
use serde_json::json;
use servers::{BUCKET, KEY, SECRET};

const NAMES: [&str; 6] = ["duck", "pg", "s3", "gs", "az", "folder"];

/// A project with six destinations, and the servers behind them.
struct Shop {
    lab: Lab,
    s3: servers::Server,
    _gs: servers::Server,
    _az: azurite::Azurite,
    _pg: PostgresServer,
}

impl Shop {
    fn new() -> Self {
        let (s3, gs, az, pg) = (servers::s3(), servers::gcs(), azurite::Azurite::shared(), PostgresServer::shared());
        let lab = Lab::new();
        let place = format!("test-{}", lab.path("").file_name().expect("a folder").display());
        lab.write(
            "longshore.toml",
            format!(
                r#"
                [pipeline]
                name = "shop"
                dataset = "raw"
                destination = ["duck", "pg", "s3", "gs", "az", "folder"]
                keep_packages = 9
                [sources.t]
                type = "files"
                files = "incoming/*.ndjson"
                only_new = true

                [destinations.duck]
                type = "duckdb"
                path = "shop.duckdb"
                [destinations.pg]
                type = "postgres"
                url = "{pg}"
                [destinations.s3]
                type = "filesystem"
                bucket_url = "s3://{BUCKET}/shop"
                credentials = {{ endpoint_url = "http://{s3}", region_name = "eu-north-1", aws_access_key_id = "{KEY}", aws_secret_access_key = {{ secret = "s3.secret" }} }}
                [destinations.gs]
                type = "filesystem"
                bucket_url = "gs://{BUCKET}/shop"
                format = "jsonl"
                compression = "zstd"
                credentials = {{ endpoint_url = "http://{gs}", google_skip_signature = "true" }}
                [destinations.az]
                type = "filesystem"
                bucket_url = "az://{BUCKET}/{place}"
                format = "csv"
                compression = "gzip"
                layout = "{{table_name}}/year={{YYYY}}/{{load_id}}.{{file_id}}.{{ext}}"
                credentials = {{ azure_storage_account_name = "{account}", azure_storage_account_key = {{ secret = "az.key" }}, azure_endpoint = "{az}" }}
                [destinations.folder]
                type = "filesystem"
                bucket_url = "./lake"
                "#,
                pg = pg.socket_url(&pg.new_database()),
                s3 = s3.address,
                gs = gs.address,
                account = azurite::ACCOUNT,
                az = az.endpoint,
            ),
        );
        lab.write("secrets.toml", format!("[s3]\nsecret = \"{SECRET}\"\n[az]\nkey = \"{}\"\n", azurite::KEY));
        Shop { lab, s3, _gs: gs, _az: az, _pg: pg }
    }

    fn command(&self, args: &[&str]) -> Output {
        let mut command = self.lab.command(args);
        command.env_remove("LONGSHORE_DESTINATION");
        let output = Output::of(command);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(!all.contains(SECRET) && !all.contains(azurite::KEY), "no secret is printed: {all}");
        output
    }

    /// Runs the project with another file; returns the report and which destinations have it.
    fn run(&self, number: u64) -> (Output, Vec<bool>) {
        let record = json!({"id": number, "lines": [{"n": number}, {"n": 10 * number}]});
        self.lab.write(&format!("incoming/{number}.ndjson"), format!("{record}\n"));
        let output = self.command(&["run", "--json"]);
        let report = output.json();
        let all = report["destinations"].as_array().unwrap_or_else(|| panic!("{output:#?}"));
        let committed = all.iter().map(|d| d["committed"] == true).collect();
        (output, committed)
    }

    /// What a destination has, by its name: ids with their lists' sums, and the loads.
    fn content(&self, name: &str) -> [Vec<String>; 2] {
        let ask = |sql: &str| {
            let place = ["query", "--destination", name, "--dataset", "raw", "--pipeline", "shop"];
            let output = self.command(&[&place[..], &["--format", "json", sql]].concat());
            assert_eq!(output.status, Some(0), "{name}: {output:#?}");
            output.stdout.lines().map(str::to_owned).collect()
        };
        let records = "SELECT t.id, CAST(sum(l.n) AS bigint) AS n FROM t JOIN t__lines l ON l._parent_id = t._row_id GROUP BY t.id ORDER BY t.id";
        [ask(records), ask("SELECT load_id FROM _loads ORDER BY load_id")]
    }

    /// Renames the bucket, as if it had not been made yet.
    fn take_bucket_away(&self, away: bool) {
        let (here, there) = (self.s3.root.path().join(BUCKET), self.s3.root.path().join("elsewhere"));
        let (from, to) = if away { (here, there) } else { (there, here) };
        std::fs::rename(from, to).expect("a folder can be renamed");
    }

    fn all_agree(&self) {
        let first = self.content(NAMES[0]);
        for name in &NAMES[1..] {
            assert_eq!(self.content(name), first, "{name} and {}", NAMES[0]);
        }
    }
}

#[test]
fn one_load_goes_to_all_of_them_by_their_names() {
    let shop = Shop::new();
    let checked = shop.command(&["check", "--connect"]);
    assert_eq!(checked.status, Some(0), "{checked:#?}");
    let (output, committed) = shop.run(1);
    assert_eq!((output.status, committed), (Some(0), vec![true; 6]), "{output:#?}");
    shop.all_agree();
    // On a machine whose working folder is new, cursors come from a destination: nothing is loaded twice.
    std::fs::remove_dir_all(shop.lab.data_dir()).expect("the working folder is there");
    let (output, committed) = shop.run(2);
    assert_eq!((output.status, committed), (Some(0), vec![true; 6]), "{output:#?}");
    let notes = output.json()["notes"].to_string();
    assert!(notes.contains("the working folder is new"), "{notes}");
    shop.all_agree();
    assert_eq!(shop.content("az").map(|lines| lines.len()), [2, 2]);
}

#[test]
fn a_store_that_was_away_is_caught_up_and_a_lost_one_filled_again() {
    let shop = Shop::new();
    assert_eq!(shop.run(1).0.status, Some(0));
    shop.take_bucket_away(true);
    // The second time it is the package before that stands in the way.
    for (number, reason) in [(2, "bucket"), (3, "goes first")] {
        let (output, committed) = shop.run(number);
        assert_eq!((output.status, committed), (Some(1), vec![true, true, false, true, true, true]), "{output:#?}");
        assert!(
            output.stderr.contains(&format!("s3://{BUCKET}/shop")) && output.stderr.contains(reason),
            "{output:#?}"
        );
    }
    let waiting = shop.command(&["pipeline", "shop", "packages"]);
    assert_eq!(waiting.stdout.matches("WAITING").count(), 2, "{waiting:#?}");
    shop.take_bucket_away(false);
    let (output, committed) = shop.run(4);
    assert_eq!((output.status, committed), (Some(0), vec![true; 6]), "{output:#?}");
    shop.all_agree();

    std::fs::remove_dir_all(shop.lab.path("lake")).expect("the folder is there");
    let behind = shop.command(&["pipeline", "shop", "replay", "--to", "folder"]);
    assert_eq!(behind.status, Some(0), "{behind:#?}");
    shop.all_agree();
}

#[test]
fn a_profile_that_the_url_names_is_remembered() {
    let (s3, lab) = (servers::s3(), Lab::new());
    lab.write(
        "home/.aws/credentials",
        format!("[ours]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"),
    );
    lab.write(
        "home/.aws/config",
        format!("[profile ours]\nregion = eu-north-1\nendpoint_url = http://{}\n", s3.address),
    );
    lab.write("in.ndjson", "{\"id\":1}\n");
    let run = |args: &[&str]| {
        let mut command = lab.command(args);
        command.env("HOME", lab.path("home")).env_remove("AWS_PROFILE");
        Output::of(command)
    };
    std::fs::rename(s3.root.path().join(BUCKET), s3.root.path().join("away")).expect("a folder can be renamed");
    let url = format!("s3://{BUCKET}/x?profile=ours");
    let load = ["load", "in.ndjson", "--table", "t", "--destination", "./lake", "--destination", &url];
    let failed = run(&load);
    assert_eq!(failed.status, Some(1), "{failed:#?}");
    assert!(failed.stderr.contains("there is no such bucket") && !failed.stderr.contains(SECRET), "{failed:#?}");
    std::fs::rename(s3.root.path().join("away"), s3.root.path().join(BUCKET)).expect("a folder can be renamed");
    let retried = run(&["pipeline", "longshore", "retry"]);
    assert_eq!((retried.status, retried.stdout.contains("profile=ours")), (Some(0), true), "{retried:#?}");
}
