//! BigQuery through the command: the example as its README says, plans, lists as columns, a machine that knows nothing.

use longshore_testkit::servers::bigquery::BigQueryServer;
use longshore_tests::{Lab, Output};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

static SERVER: LazyLock<BigQueryServer> = LazyLock::new(BigQueryServer::start);

const CHANGES: i32 = 3;
const REFUSED: i32 = 4;
const FAILED: i32 = 1;

/// The command, where the emulator is found as by a user.
fn command(lab: &Lab, words: &[&str]) -> Command {
    let mut command = lab.command(words);
    command.env("BIGQUERY_EMULATOR_HOST", SERVER.endpoint.trim_start_matches("http://"));
    command.env_remove("LONGSHORE_DESTINATION");
    command
}

fn run(lab: &Lab, words: &[&str], status: i32) -> Output {
    let output = Output::of(command(lab, words));
    assert_eq!(output.status, Some(status), "{words:?}: {output:#?}");
    output
}

fn rows(lab: &Lab, dataset: &str, sql: &str) -> Value {
    let words = ["query", "--destination", "bigquery://local", "--dataset", dataset, "--format", "json", sql];
    let answer = run(lab, &words, 0).stdout;
    answer.lines().map(|line| serde_json::from_str::<Value>(line).expect("a row a line")).collect()
}

#[test]
fn the_example_does_what_its_readme_says() {
    let lab = Lab::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/bigquery");
    for file in ["longshore.toml", "orders.ndjson"] {
        let text = std::fs::read_to_string(example.join(file)).expect("the example is there");
        lab.write(&format!("examples/bigquery/{file}"), text);
    }
    let readme = std::fs::read_to_string(example.join("README.md")).expect("the example is there");
    let commands: Vec<&str> = readme.lines().filter_map(|l| l.strip_prefix("$ longshore ")).collect();
    assert_eq!(commands.len(), 4, "{commands:?}");
    let mut answers = Vec::new();
    for line in commands {
        // As a shell does it, with the one pair of quotes that README has.
        let (words, quoted) = line.split_once(" \"").unwrap_or((line, ""));
        let mut words: Vec<String> = words.split(' ').map(|w| w.replace("MY-PROJECT", "my-project")).collect();
        words.extend((!quoted.is_empty()).then(|| quoted.trim_end_matches('"').to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let status = if words[0] == "plan" { CHANGES } else { 0 };
        answers.push(run(&lab, &words, status).stdout);
    }
    let [plan, load, query, tables] = <[String; 4]>::try_from(answers).expect("four");
    assert!(plan.contains("PARTITION BY TIMESTAMP_TRUNC(`ordered_at`, DAY) CLUSTER BY `id`"), "{plan}");
    assert!(plan.contains("it would be billed for"), "{plan}");
    assert!(load.contains("orders__lines") && load.contains("is LOADED and contains no failed jobs"), "{load}");
    assert!(query.contains("| a   | 1 |") && query.contains("| b   | 2 |"), "{query}");
    assert!(tables.contains("orders__lines"), "{tables}");
}

#[test]
fn a_plan_shows_statements_that_make_the_same_tables_and_what_they_cost() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"at\":\"2024-01-01T00:00:00Z\",\"l\":[{\"q\":1.5}],\"d\":{\"x\":true}}\n");
    let place = ["--destination", "bigquery://local?nested=t.l", "--dataset"];
    let hints = ["--hint", "at=timestamp:partition", "--hint", "id=bigint:cluster"];
    let plan = |dataset: &str| {
        let words = [&["plan", "t.ndjson"][..], &place, &[dataset], &hints, &["--json"]].concat();
        run(&lab, &words, CHANGES).json()
    };
    let planned = plan("by_hand");
    let destination = &planned["destinations"][0];
    let statements: Vec<&str> =
        destination["statements"].as_array().expect("statements").iter().filter_map(Value::as_str).collect();
    assert!(SERVER.read("by_hand", "t").is_none(), "a plan makes nothing");
    let cost = &destination["cost"];
    let items = cost["items"].as_array().expect("items");
    let sum: u64 = items.iter().filter_map(|i| i["bytes_billed"].as_u64()).sum();
    // Two tables with less than the least that is billed.
    assert_eq!((items.len(), sum, cost["bytes_billed"].as_u64()), (2, 20 << 20, Some(20 << 20)), "{cost}");
    for statement in &statements {
        SERVER.execute(statement);
    }
    run(&lab, &[&["load", "t.ndjson"][..], &place, &["by_load"], &hints].concat(), 0);
    for table in ["t", "_loads", "_schemas", "_state"] {
        let [by_hand, by_load] = ["by_hand", "by_load"].map(|d| SERVER.describe(d, table));
        for key in ["schema", "timePartitioning", "clustering"] {
            assert_eq!(by_hand[key], by_load[key], "{key} of {table}");
        }
    }
    assert!(SERVER.describe("by_load", "t")["timePartitioning"]["field"] == "at");
    // A plan that changes nothing has no statements.
    let again = [&["plan", "t.ndjson"][..], &place, &["by_load"], &hints, &["--json"]].concat();
    let again = run(&lab, &again, 0).json();
    assert_eq!(again["destinations"][0]["statements"], json!([]));
    let words = again["destinations"][0]["cost"]["items"].to_string();
    assert!(words.contains("new rows of t from"), "{words}");
}

#[test]
fn a_machine_that_knows_nothing_goes_on() {
    let lab = Lab::new();
    let load = |machine: &str, records: &str, more: &[&str]| {
        let input = lab.write("in.ndjson", records);
        let words = ["load", input.to_str().expect("a path"), "--table", "t", "--pipeline", "p", "--dataset", "bare"];
        let destination = ["--destination", "bigquery://local/US?nested=t.l"];
        let mut command = command(&lab, &[&words, &destination[..], more].concat());
        command.env("LONGSHORE_DATA_DIR", lab.path(machine));
        let output = Output::of(command);
        assert_eq!(output.status, Some(0), "{output:#?}");
    };
    load("one", "{\"id\":1,\"v\":2,\"l\":[1]}\n", &[]);
    load("two", "{\"id\":2,\"v\":\"x\",\"l\":[\"y\"]}\n", &[]);
    let merge = ["--write-disposition", "merge", "--primary-key", "id"];
    load("three", "{\"id\":2,\"v\":3,\"l\":[5,6]}\n", &merge);
    let found = rows(
        &lab,
        "bare",
        "SELECT id, v, v__v_text, (SELECT STRING_AGG(CAST(e.value AS STRING)) FROM UNNEST(l) e) AS l FROM t ORDER BY id",
    );
    assert_eq!(
        found,
        json!([{"id": 1, "v": 2, "v__v_text": null, "l": "1"}, {"id": 2, "v": 3, "v__v_text": null, "l": "5,6"}])
    );
    let loads = rows(&lab, "bare", "SELECT COUNT(*) AS n, COUNT(DISTINCT schema_hash) AS schemas FROM _loads");
    // The second brought a column, the third how the table is written.
    assert_eq!(loads, json!([{"n": 3, "schemas": 3}]));
}

#[test]
fn what_is_wrong_is_said_with_a_way_out() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1}\n");
    let fails = |url: &str, more: &[&str], status: i32, parts: &[&str]| {
        let words = [&["load", "t.ndjson", "--destination", url][..], more].concat();
        let output = run(&lab, &words, status);
        for part in parts {
            assert!(output.stderr.contains(part), "{url}: {part} in {}", output.stderr);
        }
    };
    fails("bigquery://local?nosuch=1", &[], 2, &["nosuch", "endpoint, location"]);
    // Datasets are named as everything else is: what BigQuery would not take does not come to it.
    let dashed = run(&lab, &["load", "t.ndjson", "--destination", "bigquery://local", "--dataset", "with-dash"], 0);
    assert!(dashed.stdout.contains("into dataset with_dash"), "{}", dashed.stdout);
    fails("bigquery://local?credentials=/nowhere/key.json", &["--dataset", "d"], 2, &["/nowhere/key.json"]);
    run(&lab, &["load", "t.ndjson", "--destination", "bigquery://local/EU", "--dataset", "in_eu"], 0);
    fails("bigquery://local/US", &["--dataset", "in_eu"], 2, &["the dataset is in EU, not in US", "in_eu"]);
}

#[test]
fn a_name_that_bigquery_keeps_to_itself_leaves_no_package_in_the_way() {
    let lab = Lab::new();
    lab.write("t.ndjson", "{\"id\":1,\"_file_name\":\"f\"}\n");
    let place = ["t.ndjson", "--destination", "bigquery://local", "--dataset", "kept", "--pipeline", "kept"];
    let said = "BigQuery keeps names of columns that begin with _file_";
    let plan = run(&lab, &[&["plan"], &place[..]].concat(), REFUSED);
    assert!(plan.stdout.contains(said) && !plan.stdout.contains("CREATE TABLE"), "{}", plan.stdout);
    let load = run(&lab, &[&["load"], &place[..]].concat(), FAILED);
    assert!(load.stderr.contains(said) && load.stderr.contains("--hint '_file_name=TYPE:name=OTHER'"), "{load:#?}");
    assert!(SERVER.read("kept", "t").is_none(), "nothing was made");
    run(&lab, &[&["load"], &place[..], &["--hint", "_file_name=text:name=file_name"]].concat(), 0);
    assert_eq!(rows(&lab, "kept", "SELECT file_name FROM t"), json!([{"file_name": "f"}]));
}

/// None of these gets as far as a server: each is refused for what its key says.
#[test]
fn credentials_come_by_the_file_and_by_the_environment_and_are_not_shown() {
    let lab = Lab::new();
    let key = json!({"type": "service_account", "client_email": "a@b", "private_key": "hush"}).to_string();
    let file = lab.write("key.json", &key);
    let base64 = "eyJ0eXBlIjoic2VydmljZV9hY2NvdW50IiwiY2xpZW50X2VtYWlsIjoiYUBiIiwicHJpdmF0ZV9rZXkiOiJodXNoIn0=";
    let is_read = "private_key is no RSA key";
    for (given, said) in [
        (file.to_str().expect("a path"), is_read),
        (base64, is_read),
        (&key, is_read),
        ("default", "no credentials were found"),
        ("{bad", "no JSON document"),
    ] {
        lab.write(
            "longshore.toml",
            format!("[destinations.w]\ntype = \"bigquery\"\nproject_id = \"local\"\ncredentials = '{given}'\n"),
        );
        for word in ["w", "bigquery"] {
            let mut command = command(&lab, &["tables", "--destination", word, "--dataset", "shop"]);
            command.env("DESTINATION__BIGQUERY__CREDENTIALS", given).env("GOOGLE_CLOUD_PROJECT", "local");
            command.env("GCE_METADATA_HOST", "127.0.0.1:1").env_remove("GOOGLE_APPLICATION_CREDENTIALS");
            let output = Output::of(command);
            assert_eq!(output.status, Some(2), "{word} {given}: {output:#?}");
            assert!(output.stderr.contains(said), "{word} {given}: {}", output.stderr);
            assert!(!output.stderr.contains("hush") && !output.stderr.contains(base64), "{}", output.stderr);
        }
    }
}
