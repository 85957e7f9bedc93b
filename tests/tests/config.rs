//! A project: `run`, `check`, `init`, destinations by name, and what a mistake looks like.

use longshore_tests::{Lab, Output, rows_in};
use serde_json::{Value, json};
use std::fs;

/// A lab whose home is its own folder, so that nobody's settings are read, and without a destination set.
fn run(lab: &Lab, args: &[&str]) -> Output {
    run_with(lab, args, &[])
}

fn run_with(lab: &Lab, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = lab.command(args);
    command.env_remove("LONGSHORE_DESTINATION").env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    command.env("HOME", lab.path("home")).envs(environment.iter().copied());
    Output::of(command)
}

fn ok(output: Output) -> Output {
    assert_eq!(output.status, Some(0), "{output:#?}");
    output
}

fn rows(lab: &Lab, file: &str, dataset: &str, sql: &str) -> Vec<Vec<Value>> {
    rows_in(&lab.path(file), dataset, sql)
}

const PROJECT: &str = r#"
[pipeline]
name = "shop"
dataset = "raw"
destination = "store"

[sources.drop]
type = "files"
[[sources.drop.resources]]
name = "orders"
files = "in/*.ndjson"
only_new = true
metadata = true
[[sources.drop.resources]]
name = "prices"
files = ["prices.csv"]
columns = { since = "date" }

[destinations.store]
type = "duckdb"
path = "store.duckdb"
"#;

fn lab_with_project() -> Lab {
    let lab = Lab::new();
    lab.write("longshore.toml", PROJECT);
    lab.write("in/a.ndjson", "{\"id\":1,\"lines\":[{\"n\":1},{\"n\":2}]}\n{\"id\":2}\n");
    lab.write("prices.csv", "sku,price,since\ntea,1.50,2024-01-01\ncup,20,\n");
    lab
}

#[test]
fn files_are_loaded_and_only_new_ones_again() {
    let lab = lab_with_project();
    let report = ok(run(&lab, &["run", "--json"])).json();
    assert_eq!(report["outcome"], "loaded", "{report}");
    let orders = || rows(&lab, "store.duckdb", "raw", "SELECT id, _file_name FROM orders ORDER BY id");
    assert_eq!(orders(), [[json!(1), json!("in/a.ndjson")], [json!(2), json!("in/a.ndjson")]]);
    assert_eq!(
        rows(&lab, "store.duckdb", "raw", "SELECT sku, price, since FROM prices ORDER BY sku"),
        [[json!("cup"), json!(20.0), Value::Null], [json!("tea"), json!(1.5), json!("2024-01-01")]]
    );
    lab.write("in/b.ndjson", "{\"id\":3}\n");
    ok(run(&lab, &["run", "--select", "orders"]));
    assert_eq!(orders().len(), 3, "the first file is known");
    // A file that has changed is another one.
    lab.write("in/b.ndjson", "{\"id\":4}\n{\"id\":5}\n");
    ok(run(&lab, &["run", "--select", "orders"]));
    assert_eq!(orders().len(), 5);
    let told = ok(run(&lab, &["run", "--select", "orders"]));
    assert_eq!(orders().len(), 5, "nothing is new");
    let note = "orders: no file is new; all 2 that match were loaded before";
    assert!(told.stdout.contains(note) || told.stderr.contains(note), "{told:#?}");
}

/// Links may lead in circles: in a project, too, whose patterns begin at its folder.
#[cfg(unix)]
#[test]
fn patterns_of_a_project_cross_no_links_to_folders() {
    let lab = Lab::new();
    lab.write("in/a/x.ndjson", "{\"id\":1}\n");
    lab.write("other/y.ndjson", "{\"id\":2}\n");
    std::os::unix::fs::symlink("../other", lab.path("in/link")).unwrap();
    lab.write(
        "longshore.toml",
        "[pipeline]\nname = \"p\"\n[sources.s]\ntype = \"files\"\nfiles = \"in/**/*.ndjson\"\n",
    );
    ok(run(&lab, &["run"]));
    assert_eq!(rows(&lab, "p.duckdb", "p_dataset", "SELECT id FROM s"), [[json!(1)]]);
}

#[test]
fn a_path_that_selects_nothing_takes_no_file_for_loaded() {
    let lab = Lab::new();
    let project = |select: &str| {
        format!(
            "[pipeline]\nname = \"shop\"\n[sources.drop]\ntype = \"files\"\nname = \"orders\"\nfiles = \"in/*.json\"\nselect = \"{select}\"\nonly_new = true\n"
        )
    };
    lab.write("in/a.json", r#"{"data":[{"id":1},{"id":2}]}"#);
    lab.write("in/b.json", r#"{"data":[]}"#);
    lab.write("longshore.toml", project("$.items[*]"));
    let output = run(&lab, &["run"]);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("the path '$.items[*]' selects nothing in the whole input (resource orders)"));
    lab.write("longshore.toml", project("$.data[*]"));
    ok(run(&lab, &["run"]));
    assert_eq!(rows(&lab, "shop.duckdb", "shop_dataset", "SELECT id FROM orders ORDER BY id").len(), 2);
    // A list without records is what it is.
    lab.write("in/c.json", r#"{"data":[]}"#);
    ok(run(&lab, &["run"]));
}

#[test]
fn a_project_is_named_by_its_file_or_folder_from_anywhere() {
    let lab = Lab::new();
    lab.write("sub/longshore.toml", PROJECT);
    lab.write("sub/in/a.ndjson", "{\"id\":1}\n");
    lab.write("sub/prices.csv", "sku\ntea\n");
    ok(run(&lab, &["run", "sub"]));
    ok(run(&lab, &["run", "sub/longshore.toml", "--destination", "duckdb:other.duckdb", "--dataset", "d"]));
    assert_eq!(rows(&lab, "store.duckdb", "raw", "SELECT count(*) FROM orders"), [[json!(1)]]);
    assert_eq!(rows(&lab, "other.duckdb", "d", "SELECT _file_name FROM orders"), [[json!("in/a.ndjson")]]);
}

#[test]
fn flags_and_variables_win_over_the_file() {
    let lab = lab_with_project();
    ok(run_with(&lab, &["run"], &[("LONGSHORE_PIPELINE__DATASET", "by_variable")]));
    assert_eq!(rows(&lab, "store.duckdb", "by_variable", "SELECT count(*) FROM prices"), [[json!(2)]]);
    ok(run_with(&lab, &["run", "--dataset", "by_flag"], &[("LONGSHORE_PIPELINE__DATASET", "by_variable")]));
    assert_eq!(rows(&lab, "store.duckdb", "by_flag", "SELECT count(*) FROM prices"), [[json!(2)]]);
}

#[test]
fn other_commands_know_the_projects_destinations() {
    let lab = lab_with_project();
    ok(run(&lab, &["load", "in/a.ndjson", "--table", "t", "--destination", "store"]));
    assert_eq!(rows(&lab, "store.duckdb", "longshore_dataset", "SELECT count(*) FROM t"), [[json!(2)]]);
    let tables = ok(run(&lab, &["tables", "--pipeline", "longshore", "--destination", "store", "--json"])).json();
    assert!(tables["tables"].as_array().unwrap().iter().any(|t| t["table"] == "t"), "{tables}");
    let wrong = run(&lab, &["tables", "--destination", "stoer"]);
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("did you mean 'store'?"), "{wrong:#?}");
}

#[test]
fn dlts_files_name_a_destination() {
    let lab = Lab::new();
    lab.write("a.json", "[{\"id\":1}]");
    lab.write(".dlt/secrets.toml", "[destination.duckdb]\ncredentials = \"of_dlt.duckdb\"\n");
    ok(run(&lab, &["load", "a.json"]));
    assert_eq!(rows(&lab, "of_dlt.duckdb", "longshore_dataset", "SELECT id FROM a"), [[json!(1)]]);
}

#[test]
fn full_refresh_reads_everything_again() {
    let lab = lab_with_project();
    ok(run(&lab, &["run"]));
    ok(run(&lab, &["run", "--full-refresh"]));
    let ids = rows(&lab, "store.duckdb", "raw", "SELECT DISTINCT id FROM orders ORDER BY 1");
    assert_eq!(ids, [[json!(1)], [json!(2)]], "not left out as known");
}

#[test]
fn check_tells_all_mistakes_with_their_places() {
    let lab = lab_with_project();
    let valid = ok(run(&lab, &["check"]));
    assert!(valid.stdout.contains("source drop (files): orders, prices"), "{valid:#?}");
    assert!(valid.stdout.ends_with("the configuration is valid\n"), "{valid:#?}");

    let text = PROJECT.replace("only_new", "ony_new").replace("path =", "pth =").replace("columns = {", "colums = {");
    lab.write("longshore.toml", text);
    let wrong = run(&lab, &["check"]);
    assert_eq!(wrong.status, Some(2), "{wrong:#?}");
    for line in [
        "longshore.toml:12:1: there is no key 'ony_new' here (at sources.drop.resources.0.ony_new)",
        "  hint: did you mean 'only_new'?",
        "longshore.toml:17:1: there is no key 'colums' here (at sources.drop.resources.1.colums)",
        "longshore.toml:21:1: ",
        "  hint: did you mean 'path'?",
        "3 problems",
    ] {
        assert!(wrong.stderr.contains(line), "{line}\n{wrong:#?}");
    }
    // What is wrong with a vault hides nothing, and a destination's section is told of as a whole.
    lab.write(
        "more/longshore.toml",
        "[destinations.pg]\ntype = \"postgres\"\nhots = \"db\"\nprot = 5\nsslmode = \"prefre\"\n[destinations.other]\n\
        type = \"postgress\"\n[vaults.v]\ntype = \"hashicrop\"\n[sources.s]\ntype = \"files\"\nfils = \"x.json\"\n",
    );
    let more = run(&lab, &["check", "more"]).stderr;
    for line in [
        "longshore.toml:9:1: there is no kind of vault 'hashicrop' (at vaults.v.type)",
        "longshore.toml:12:1: there is no key 'fils' here (at sources.s.fils)",
        "longshore.toml:3:1: unknown key 'hots' (at destinations.pg.hots)\n  hint: did you mean 'host'?",
        "longshore.toml:4:1: unknown key 'prot' (at destinations.pg.prot)\n  hint: did you mean 'port'?",
        "longshore.toml:5:1: 'prefre' is none of disable, allow, prefer, require, verify-ca, verify-full (at destinations.pg.sslmode)",
        "longshore.toml:7:1: there is no destination 'postgress' (at destinations.other.type)",
    ] {
        assert!(more.contains(line), "{line}\n{more}");
    }
    let document = run(&lab, &["check", "--json"]).json();
    assert_eq!(document["valid"], false);
    let first = &document["problems"][0];
    assert_eq!(
        (&first["file"], &first["line"], &first["column"], &first["hint"]),
        (&json!("longshore.toml"), &json!(12), &json!(1), &json!("did you mean 'only_new'?"))
    );
    let output = run(&lab, &["run"]);
    assert_eq!((output.status, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.contains("longshore.toml:12:1"), "{output:#?}");
}

#[test]
fn check_connects_when_asked() {
    let lab = lab_with_project();
    ok(run(&lab, &["run"]));
    let output = ok(run(&lab, &["check", "--connect"]));
    assert!(output.stdout.contains("store.duckdb answers"), "{output:#?}");
    lab.write("store.duckdb", "this is no database");
    let output = run(&lab, &["check", "--connect"]);
    assert_eq!(output.status, Some(2), "{output:#?}");
}

#[test]
fn mistakes_of_usage() {
    let lab = Lab::new();
    let nothing = run(&lab, &["run"]);
    assert_eq!(nothing.status, Some(2));
    assert!(nothing.stderr.contains("there is no longshore.toml here"), "{nothing:#?}");
    assert_eq!(run(&lab, &["run", "nowhere"]).status, Some(2));
    assert_eq!(run(&lab, &["check"]).status, Some(2));
    let lab = lab_with_project();
    let select = run(&lab, &["run", "--select", "order"]);
    assert_eq!(select.status, Some(2));
    assert!(select.stderr.contains("did you mean 'orders'?"), "{select:#?}");
    assert_eq!(run(&lab, &["run", "--record", "r"]).status, Some(2), "no source makes requests");
}

#[test]
fn init_files_writes_a_project_that_runs() {
    let lab = Lab::new();
    ok(run(&lab, &["init", "files", "duckdb", "new"]));
    ok(run(&lab, &["check", "new"]));
    ok(run(&lab, &["run", "new"]));
    let count = rows(&lab, "files_pipeline.duckdb", "files_data", "SELECT count(*) FROM orders__lines");
    assert_eq!(count, [[json!(3)]]);
    let mine = lab.write("new/longshore.toml", "# mine");
    let again = run(&lab, &["init", "files", "duckdb", "new"]);
    assert_eq!(again.status, Some(2));
    assert!(again.stderr.contains("there is already"), "{again:#?}");
    assert_eq!(fs::read_to_string(&mine).unwrap(), "# mine");
    ok(run(&lab, &["init", "files", "duckdb", "new", "--force"]));
    assert_ne!(fs::read_to_string(&mine).unwrap(), "# mine");
}

#[test]
fn init_for_other_destinations_runs_or_says_what_to_fill_in() {
    let lab = Lab::new();
    ok(run(&lab, &["init", "files", "filesystem", "lake_project"]));
    ok(run(&lab, &["check", "lake_project"]));
    ok(run(&lab, &["run", "lake_project"]));
    let counted = ok(run(
        &lab,
        &[
            "query",
            "SELECT count(*) AS n FROM orders__lines",
            "--format",
            "csv",
            "--destination",
            "./lake",
            "--dataset",
            "files_data",
        ],
    ));
    assert_eq!(counted.stdout, "n\n3\n");
    let postgres = ok(run(&lab, &["init", "files", "postgres", "p"]));
    assert!(postgres.stdout.contains("fill in: host, database and username"), "{postgres:#?}");
    ok(run(&lab, &["check", "p"]));
    ok(run(&lab, &["init", "files", "bigquery", "b"]));
    let open = run(&lab, &["check", "b"]);
    assert!(open.status == Some(2) && open.stderr.contains("set project_id"), "{open:#?}");
    let text = fs::read_to_string(lab.path("b/longshore.toml")).unwrap();
    lab.write("b/longshore.toml", text.replace("# project_id", "project_id"));
    ok(run(&lab, &["check", "b"]));
    for kind in ["filesystem", "postgres", "bigquery"] {
        ok(run(&lab, &["init", "rest_api", kind, &format!("rest_{kind}")]));
    }
}

#[test]
fn every_project_of_init_is_valid() {
    let lab = Lab::new();
    lab.write("spec.yaml", SPEC);
    for args in [
        &["init", "rest_api", "duckdb", "p"][..],
        &["init", "referral_hero", "duckdb", "p", "--force"],
        &["init", "openapi", "spec.yaml", "duckdb", "p", "--force"],
    ] {
        let said = ok(run(&lab, args));
        // What the project's first words ask for is all that is missing.
        if let Some(open) = said.stdout.lines().find_map(|line| line.strip_prefix("fill in: ")) {
            assert!(open.ends_with("in p/secrets.toml"), "{open}");
            let missing = run(&lab, &["check", "p"]);
            let why = "still to be filled in";
            assert!(missing.status == Some(2) && missing.stderr.contains(why), "{missing:#?}");
            let secrets = fs::read_to_string(lab.path("p/secrets.toml")).unwrap();
            lab.write("p/secrets.toml", secrets.replace("fill in", "hush"));
        }
        ok(run(&lab, &["check", "p"]));
        let ignored = fs::read_to_string(lab.path("p/.gitignore")).unwrap();
        assert!(ignored.lines().any(|l| l == "secrets.toml"), "{ignored}");
    }
    let said = ok(run(&lab, &["init", "files", "duckdb", "a b"]));
    assert!(said.stdout.ends_with("next: longshore check 'a b', then longshore run 'a b'\n"), "{said:#?}");
    let wrong = run(&lab, &["init", "rest_apo", "duckdb", "q"]);
    assert!(wrong.status == Some(2) && wrong.stderr.contains("did you mean 'rest_api'?"), "{wrong:#?}");
    assert!(!lab.path("q").exists());
    assert_eq!(run(&lab, &["init", "files", "oracle", "q"]).status, Some(2));
    let wrong = run(&lab, &["init", "opnapi", "spec.yaml", "postgress"]);
    assert!(wrong.status == Some(2) && wrong.stderr.contains("did you mean 'openapi'?"), "{wrong:#?}");
    let wrong = run(&lab, &["init", "files", "postgress", "q"]);
    assert!(wrong.status == Some(2) && wrong.stderr.contains("did you mean 'postgres'?"), "{wrong:#?}");
}

#[test]
fn init_writes_no_password_into_the_project_itself() {
    let lab = Lab::new();
    let url = "postgres://me:hush@db.example.com/shop";
    ok(run(&lab, &["init", "files", url, "p"]));
    let (project, secrets) = (lab.path("p/longshore.toml"), lab.path("p/secrets.toml"));
    assert!(!fs::read_to_string(project).unwrap().contains("hush"));
    assert!(fs::read_to_string(secrets).unwrap().contains(url));
    let checked = ok(run(&lab, &["check", "p"]));
    assert!(checked.stdout.contains("me@db.example.com") && !checked.stdout.contains("hush"), "{checked:#?}");
}

#[test]
fn what_is_not_selected_needs_no_secrets() {
    let lab = Lab::new();
    lab.write("a.ndjson", "{\"a\":1}\n");
    let project = "[pipeline]\nname = \"two\"\n[sources.near]\ntype = \"files\"\nfiles = \"a.ndjson\"\n\
        [sources.far]\ntype = \"rest_api\"\nresources = [\"users\"]\n\
        client = { base_url = \"http://127.0.0.1:1\", auth = { token = { secret = \"far.token\" } } }\n";
    lab.write("longshore.toml", project);
    let all = run(&lab, &["run"]);
    assert!(all.status == Some(2) && all.stderr.contains("far.token"), "{all:#?}");
    let output = ok(run(&lab, &["run", "--select", "near"]));
    assert!(output.stdout.contains("near") && !output.stdout.contains("users"), "{output:#?}");
    let other = run(&lab, &["run", "--select", "users"]);
    assert!(other.status == Some(2) && other.stderr.contains("far.token"), "{other:#?}");
    let wrong = run(&lab, &["run", "--select", "user"]);
    assert!(wrong.status == Some(2), "{wrong:#?}");
}

#[test]
fn referral_hero_has_its_eleven_resources() {
    let lab = Lab::new();
    ok(run(&lab, &["init", "referral_hero", "duckdb", "p"]));
    lab.write("p/secrets.toml", "[sources.referral_hero_source]\napi_token = \"hush\"\n");
    let found = ok(run(&lab, &["check", "p", "--json"])).json();
    assert_eq!(
        found["found"][0],
        "source referral_hero_source (rest_api): lists, list_rewards, subscribers, subscriber, subscriber_by_email, subscriber_referred, subscriber_rewards, rewards, coupon_groups, coupons, track_transactions"
    );
    fs::remove_file(lab.path("p/secrets.toml")).unwrap();
    let missing = run(&lab, &["check", "p"]);
    assert_eq!(missing.status, Some(2));
    for place in ["SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", "p/secrets.toml (no such file)", ".dlt/secrets.toml"] {
        assert!(missing.stderr.contains(place), "{place}: {missing:#?}");
    }
    ok(run_with(&lab, &["check", "p"], &[("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", "t")]));
}

const SPEC: &str = r##"
openapi: 3.0.0
info: { title: Pet Shop }
servers: [{ url: "https://pets.example.com/v1" }]
security: [{ key: [] }]
components:
  securitySchemes:
    key: { type: apiKey, name: X-Key, in: header }
  schemas:
    Page: { type: object, properties: { total: { type: integer }, items: { type: array } } }
paths:
  /pets:
    get:
      summary: All pets
      parameters: [{ name: page, in: query }, { name: per_page, in: query }]
      responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Page" } } } } }
    post: {}
  /pets/{petId}/toys:
    get:
      parameters: [{ name: offset, in: query }, { name: limit, in: query }]
      responses: { "200": { content: { application/json: { schema: { type: array } } } } }
  /owners/{name}/pets: { get: {} }
"##;

#[test]
fn openapi_gives_paths_auth_and_paging() {
    let lab = Lab::new();
    lab.write("spec.yaml", SPEC);
    ok(run(&lab, &["init", "openapi", "spec.yaml", "duckdb", "p"]));
    let text = fs::read_to_string(lab.path("p/longshore.toml")).unwrap();
    for line in [
        "base_url = \"https://pets.example.com/v1\"",
        "auth = { type = \"api_key\", name = \"X-Key\", location = \"header\", api_key = { secret = \"sources.pet_shop.api_key\" } }",
        "# All pets",
        "path = \"pets/{resources.pets.id}/toys\"    # ? id is its petId",
        "data_selector = \"items\"    # ? the list in the answer",
        "paginator = { type = \"page_number\", base_page = 1, page_param = \"page\" }    # ? by the names of parameters and fields",
        "paginator = { type = \"offset\", limit = 100, offset_param = \"offset\", limit_param = \"limit\" }    # ? by the names of parameters and fields",
        "# Left out, because they answer no JSON records: /owners/{name}/pets",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    lab.write("p/secrets.toml", "[sources.pet_shop]\napi_key = \"hush\"\n");
    ok(run(&lab, &["check", "p"]));
    lab.write("no.yaml", "a: [");
    assert_eq!(run(&lab, &["init", "openapi", "no.yaml", "duckdb", "q"]).status, Some(2));
}

#[test]
fn the_json_schema_in_docs_is_current() {
    let lab = Lab::new();
    let printed = ok(run(&lab, &["check", "--schema"])).stdout;
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/longshore.schema.json");
    let is_current = fs::read_to_string(kept).unwrap() == printed;
    assert!(is_current, "write it anew: longshore check --schema > docs/longshore.schema.json");
}

/// Without `--connect` nothing is asked, vaults neither; a mistake beside the secret is found all the same.
#[test]
fn check_asks_no_vault_unless_told_to() {
    let lab = Lab::new();
    let project = "[pipeline]\ndestination = \"store\"\n[destinations.store]\ntype = \"bigquery\"\nproject_id = \"p\"\n\
        credentials = { secret = \"google.key\" }\n[vaults.v]\ntype = \"hashicorp\"\naddress = \"http://127.0.0.1:1\"\n\
        token = \"t\"\n[sources.s]\ntype = \"files\"\nfiles = \"x.json\"\n";
    lab.write("longshore.toml", project);
    let checked = ok(run(&lab, &["check"]));
    let said = "not looked for in the vaults without --connect: destinations.store.credentials";
    assert!(checked.stdout.contains(said) && checked.stdout.contains("the configuration is valid"), "{checked:#?}");
    let asked = run(&lab, &["check", "--connect"]);
    assert!(asked.status == Some(2) && asked.stderr.contains("the HashiCorp vault cannot be reached"), "{asked:#?}");
    lab.write("longshore.toml", project.replace("project_id", "projct_id"));
    let misspelt = run(&lab, &["check"]);
    assert!(misspelt.status == Some(2) && misspelt.stderr.contains("longshore.toml:5:1"), "{misspelt:#?}");
}
