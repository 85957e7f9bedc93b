//! What a project says, in which order its places are asked, and what is told of its mistakes.

#![allow(clippy::unwrap_used)] // helpers of tests panic as tests do

mod common;

use common::Folder;
use serde_json::json;

const SHOP: &str = r#"
[pipeline]
name = "shop_api"

[sources.shop]
type = "rest_api"
client = { base_url = "http://file", auth = { type = "bearer", token = { secret = "shop.api_token" } } }
resources = [{ name = "users" }]
"#;

fn token(folder: &Folder) -> String {
    let source = folder.open().unwrap().source("shop").unwrap().to_json();
    source["client"]["auth"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_secret_is_found_in_every_place_and_the_first_wins() {
    let secret = |value: &str| format!("[shop]\napi_token = \"{value}\"\n");
    // From the place that is asked last to the one that is asked first.
    let mut folder = Folder::new().with("longshore.toml", SHOP).with("home/.dlt/secrets.toml", &secret("dlt-home"));
    assert_eq!(token(&folder), "dlt-home");
    folder = folder.with("home/.config/longshore/longshore.toml", &secret("home-file"));
    assert_eq!(token(&folder), "home-file");
    folder = folder.with("home/.config/longshore/secrets.toml", &secret("home"));
    assert_eq!(token(&folder), "home");
    folder = folder.with(".dlt/secrets.toml", &secret("dlt-project"));
    assert_eq!(token(&folder), "dlt-project");
    folder = folder.with("longshore.toml", &format!("{SHOP}\n{}", secret("file")));
    assert_eq!(token(&folder), "file");
    folder = folder.with("secrets.toml", &secret("project"));
    assert_eq!(token(&folder), "project");
    folder = folder.env("SHOP__API_TOKEN", "variable");
    assert_eq!(token(&folder), "variable");
    folder = folder.env("LONGSHORE_SHOP__API_TOKEN", "our-variable");
    assert_eq!(token(&folder), "our-variable");
    folder = folder.with("run/secrets/shop--api-token", "mounted\n");
    assert_eq!(token(&folder), "mounted");
    folder = folder.env("SHOP_API__SHOP__API_TOKEN", "pipeline");
    assert_eq!(token(&folder), "pipeline", "names with the pipeline's in front are asked first");
}

/// Keys that nothing knows are errors, those that a reference leads to are known.
#[test]
fn a_secret_may_stand_in_the_file_itself_where_its_reference_says() {
    let dlts = SHOP.replace("shop.api_token", "sources.shop.api_token");
    let beside = dlts.replace("type = \"rest_api\"", "type = \"rest_api\"\napi_token = \"hush\"");
    for text in
        [beside.clone(), format!("{dlts}[sources]\napi_token = \"hush\"\n"), format!("api_token = \"hush\"\n{dlts}")]
    {
        let folder = Folder::new().with("longshore.toml", &text);
        assert_eq!(token(&folder), "hush", "{text}");
        assert_eq!(folder.open().unwrap().sources(), ["shop"]);
        let source = folder.open().unwrap().source("shop").unwrap().to_json();
        assert!(source.get("api_token").is_none(), "{source}");
    }
    for text in [format!("{SHOP}\n[shop]\napi_tokn = \"x\"\n"), format!("{SHOP}\n[shops]\napi_token = \"x\"\n")] {
        let problems = Folder::new().with("longshore.toml", &text).open().unwrap_err();
        assert!(problems.0[0].message.starts_with("there is no section 'shop"), "{problems:?}");
    }
}

#[test]
fn a_reference_may_be_a_text() {
    for reference in ["'secret(\"shop.api_token\")'", "\"secret('shop.api_token')\"", "'env(\"SHOP__API_TOKEN\")'"] {
        let text = SHOP.replace("{ secret = \"shop.api_token\" }", reference);
        let folder = Folder::new().with("longshore.toml", &text).env("SHOP__API_TOKEN", "hush");
        assert_eq!(token(&folder), "hush", "{reference}");
        assert_eq!(folder.open().unwrap().source("shop").unwrap().secrets()[0].expose(), "hush");
    }
    let folder =
        Folder::new().with("longshore.toml", &SHOP.replace("{ secret = \"shop.api_token\" }", "'secret(shop)'"));
    assert_eq!(token(&folder), "secret(shop)", "anything else is what it says");
}

#[test]
fn a_section_knows_what_must_not_be_shown() {
    let text = r#"
[sources.shop]
type = "rest_api"
resources = [{ name = "r", endpoint = { params = { account = { secret = "shop.account" }, since = { env = "SINCE" }, page = "plain" } } }]
[sources.shop.client]
base_url = { env = "SHOP_URL" }
headers = { X-Plain = "plain", X-Variable = { env = "SHOP_KEY" } }
"#;
    let secrets =
        "[shop]\naccount = 4711\n[sources.shop.client]\nuser_agent = \"me\"\nheaders = { X-Laid-Over = \"hush\" }\n";
    let mut folder = Folder::new().with("longshore.toml", text).with("secrets.toml", secrets);
    for (name, value) in [("SINCE", "2024-01-01"), ("SHOP_URL", "https://h"), ("SHOP_KEY", "key-of-the-shop")] {
        folder = folder.env(name, value);
    }
    let section = folder.open().unwrap().source("shop").unwrap();
    let mut known: Vec<&str> = section.secrets().iter().map(longshore_core::connect::Secret::expose).collect();
    known.sort_unstable();
    known.dedup(); // what a reference found in a secret file counts as both
    assert_eq!(known, ["4711", "hush", "key-of-the-shop"]);
}

#[test]
fn a_missing_secret_lists_every_place() {
    let folder = Folder::new().with("longshore.toml", SHOP).with(".dlt/config.toml", "[shop]\napi_token = \"x\"\n");
    let problems = folder.open().unwrap().source("shop").unwrap_err();
    let problem = &problems.0[0];
    let hint = problem.hint.clone().unwrap();
    for place in [
        "environment variable LONGSHORE_SHOP__API_TOKEN",
        "environment variable SHOP__API_TOKEN",
        "run/secrets/shop--api-token",
        "environment variable SHOP_API__SHOP__API_TOKEN",
        "project/secrets.toml (no such file)",
        "longshore.toml: [shop] api_token",
        "home/.dlt/secrets.toml (no such file)",
        "home/.config/longshore/secrets.toml (no such file)",
        "secrets belong in secrets.toml",
    ] {
        assert!(hint.contains(place), "{place}\n{hint}");
    }
    assert_eq!(
        folder.problems(problems),
        ["longshore.toml:7:72: the secret 'shop.api_token' is not to be found (at sources.shop.client.auth.token)"]
    );
}

#[test]
fn what_is_still_to_be_filled_in_is_no_secret() {
    let dlt = "[shop]\napi_token = \"<configure me>\"\n";
    let ours = "[shop]\napi_token = \"fill in\"\n";
    let folder = Folder::new().with("longshore.toml", SHOP).with("secrets.toml", ours).with(".dlt/secrets.toml", dlt);
    let folder = folder.env("SHOP__API_TOKEN", "");
    let hint = folder.open().unwrap().source("shop").unwrap_err().0[0].hint.clone().unwrap();
    for place in
        ["SHOP__API_TOKEN (it is empty)", "secrets.toml: [shop] api_token (it stands there, but is still to be"]
    {
        assert!(hint.contains(place), "{place}\n{hint}");
    }
    let filled = folder.with("home/.dlt/secrets.toml", "[shop]\napi_token = 123\n");
    assert_eq!(token(&filled), "123", "a token of digits is a text");
    // Where it stands by itself, without a reference.
    let laid_over = "[sources.shop.client.auth]\ntoken = \"fill in\"\n";
    let folder = Folder::new().with("longshore.toml", SHOP).with("secrets.toml", laid_over);
    let problems = folder.open().unwrap().source("shop").unwrap_err();
    assert_eq!(
        folder.problems(problems),
        ["secrets.toml:2:9: the value is still to be filled in (at sources.shop.client.auth.token)"]
    );
}

#[test]
fn a_problem_stands_where_its_value_does() {
    let laid_over = "[sources.shop.client]\nbase_url = 5\n";
    let folder = Folder::new().with("longshore.toml", SHOP).with("secrets.toml", laid_over).env("SHOP__API_TOKEN", "t");
    let folder = folder.env("SOURCES__SHOP__RESOURCES", "users");
    let shop = folder.open().unwrap().source("shop").unwrap();
    let place = |path: &[&str]| shop.origin_of(path).to_string();
    assert!(place(&["client", "base_url"]).ends_with("secrets.toml:2:1"), "{}", place(&["client", "base_url"]));
    assert_eq!(place(&["resources"]), "environment variable SOURCES__SHOP__RESOURCES");
    assert!(place(&["client", "auth"]).ends_with("longshore.toml:7:38"), "{}", place(&["client", "auth"]));
}

#[test]
fn yaml_merges_tables_and_a_bare_configuration_of_dlts_is_told_where_it_belongs() {
    let yaml = "defaults: &all {a: 1, b: 2}\n".replace("defaults", "sources:\n  shop:\n    type: rest_api\n    client")
        + "    resources:\n      - {<<: *all, b: 3}\n      - {<<: [{c: 4}, *all], a: 5}\n";
    let open = |text: &str| Folder::new().with("longshore.yaml", text).open();
    let shop = open(&yaml).unwrap().source("shop").unwrap().to_json();
    assert_eq!(shop["resources"], json!([{"b": 3, "a": 1}, {"a": 5, "c": 4, "b": 2}]));
    let wrong = open(&yaml.replace("*all, b", "5, b")).unwrap_err().to_string();
    assert!(wrong.contains("'<<' takes a table"), "{wrong}");
    let bare = open("client: {base_url: http://h}\nresources: [users]\n").unwrap_err();
    assert_eq!(bare.0.len(), 1);
    assert!(bare.0[0].hint.as_ref().unwrap().contains("under sources.NAME"), "{bare}");
}

#[test]
fn a_plain_name_is_meant_exactly_and_one_like_dlts_is_shortened() {
    // One API's token must not be sent to another because both are called api_token.
    let folder = Folder::new().with("longshore.toml", SHOP).env("API_TOKEN", "of another");
    assert!(folder.open().unwrap().source("shop").is_err());
    let dlt = SHOP.replace("shop.api_token", "sources.shop.api_token");
    let folder = Folder::new().with("longshore.toml", &dlt).env("SOURCES__API_TOKEN", "shared");
    assert_eq!(token(&folder), "shared");
}

#[test]
fn other_places_replace_values_of_a_declared_source() {
    let url = |folder: &Folder| folder.open().unwrap().source("shop").unwrap().to_json()["client"]["base_url"].clone();
    let base = |u: &str| format!("[sources.shop.client]\nbase_url = \"{u}\"\n");
    let mut folder = Folder::new()
        .with("longshore.toml", SHOP)
        .env("SHOP__API_TOKEN", "t")
        .with(".dlt/config.toml", &base("http://dlt"))
        .with("home/.config/longshore/longshore.toml", "[pipeline]\nthreads = 3\n");
    assert_eq!(url(&folder), "http://file", "the declaration wins over dlt's files");
    assert_eq!(folder.open().unwrap().pipeline().threads, Some(3));
    folder = folder.with("secrets.toml", &base("http://secrets"));
    assert_eq!(url(&folder), "http://secrets");
    folder = folder.env("SOURCES__REST_API__CLIENT__BASE_URL", "http://of-the-type");
    assert_eq!(url(&folder), "http://of-the-type");
    folder = folder.env("SOURCES__SHOP__CLIENT__BASE_URL", "http://variable");
    assert_eq!(url(&folder), "http://variable");
    folder = folder.env("SOURCES__SHOP__UNDECLARED", "1");
    let json = folder.open().unwrap().source("shop").unwrap().to_json();
    assert_eq!(json.get("undeclared"), None, "a key right under the source is for references");
}

#[test]
fn the_same_project_as_yaml_and_json() {
    let yaml = "pipeline: {name: shop_api}\nsources:\n  shop:\n    type: rest_api\n    client:\n      base_url: http://file\n      auth: {type: bearer, token: {secret: shop.api_token}}\n    resources:\n      - name: users\n";
    let json = json!({
        "$schema": "longshore.schema.json",
        "pipeline": {"name": "shop_api"},
        "sources": {"shop": {
            "type": "rest_api",
            "client": {"base_url": "http://file", "auth": {"type": "bearer", "token": {"secret": "shop.api_token"}}},
            "resources": [{"name": "users"}],
        }},
    });
    let load = |name: &str, text: &str| {
        let folder = Folder::new().with(name, text).env("SHOP__API_TOKEN", "t");
        folder.open().unwrap().source("shop").unwrap().to_json()
    };
    let toml = load("longshore.toml", SHOP);
    assert_eq!(load("longshore.yaml", yaml), toml);
    assert_eq!(load("longshore.yml", yaml), toml);
    assert_eq!(load("longshore.json", &json.to_string()), toml);
    let both = Folder::new().with("longshore.toml", SHOP).with("longshore.json", &json.to_string());
    assert!(both.open().unwrap_err().to_string().contains("which of the two"));
}

#[test]
fn mistakes_are_told_all_at_once_with_places_and_suggestions() {
    let text = "[pipelin]\nname = 1\n[source.shop]\ntype = \"files\"\n[destinations]\nwarehouse = 5\n";
    let folder = Folder::new().with("longshore.toml", text);
    let problems = folder.open().unwrap_err();
    let hints: Vec<_> = problems.0.iter().filter_map(|p| p.hint.clone()).collect();
    assert_eq!(hints[..2], ["did you mean 'pipeline'?", "did you mean 'sources'?"]);
    assert_eq!(
        folder.problems(problems),
        [
            "longshore.toml:1:2: there is no section 'pipelin' (at pipelin)",
            "longshore.toml:3:2: there is no section 'source' (at source)",
            "longshore.toml:6:1: 'warehouse' must be a table, this is a number (at destinations.warehouse)",
        ]
    );
    let text = "[pipeline]\nnmae = \"x\"\nthreads = 0\non_error = \"rejct\"\ndestination = []\n";
    let problems = Folder::new().with("longshore.toml", text).open().unwrap_err();
    let lines: Vec<String> = problems.0.iter().map(|p| p.origin.to_string()).collect();
    assert_eq!(problems.0.len(), 4, "{problems}");
    assert!(lines.iter().zip(2..).all(|(l, n)| l.contains(&format!(":{n}:"))), "{lines:?}");
    assert_eq!(problems.0[2].hint.as_deref(), Some("did you mean 'reject'?"));
    let text = "[pipeline]\nthreads = 5000\nmax_nesting = -1\nmax_tables = 1.5\ndestination = []\ndataset = \" \"\n";
    let folder = Folder::new().with("longshore.toml", text);
    let problems = folder.open().unwrap_err();
    assert_eq!(
        folder.problems(problems),
        [
            "longshore.toml:2:1: 'threads' must be a whole number from 1 to 1024, this is 5000 (at pipeline.threads)",
            "longshore.toml:3:1: 'max_nesting' must be a whole number from 0 to 4294967295, this is -1 (at pipeline.max_nesting)",
            "longshore.toml:4:1: 'max_tables' must be a whole number of at least 1, this is 1.5 (at pipeline.max_tables)",
            "longshore.toml:5:1: 'destination' must be a name, a URL, or a list of them, this is an empty list (at pipeline.destination)",
            "longshore.toml:6:1: 'dataset' must be text that is not empty, this is empty (at pipeline.dataset)",
        ]
    );
}

#[test]
fn destinations_are_names_urls_or_kinds() {
    let text = "[destinations.warehouse]\ntype = \"postgres\"\nhost = \"db\"\nport = 5433\npassword = { secret = \"pg.password\" }\n[destinations.lake]\nurl = \"s3://bucket/x\"\n";
    let folder = Folder::new()
        .with("longshore.toml", text)
        .with("secrets.toml", "[pg]\npassword = \"hush\"\n[destinations.lake]\nregion = \"eu\"\n")
        .env("LONGSHORE_DESTINATIONS__WAREHOUSE__HOST", "other");
    let project = folder.open().unwrap();
    let kinds = ["duckdb", "postgres"];
    let warehouse = project.destination("warehouse", &kinds).unwrap();
    assert_eq!(warehouse.url, "postgres");
    assert_eq!(json!(warehouse.settings), json!({"host": "other", "port": 5433, "password": "hush"}));
    let lake = project.destination("lake", &kinds).unwrap();
    assert_eq!((lake.url.as_str(), json!(lake.settings)), ("s3://bucket/x", json!({"region": "eu"})));
    assert_eq!(project.destination("duckdb:a.duckdb", &kinds).unwrap().url, "duckdb:a.duckdb");
    for path in ["./out", "data/out", "/data", "~/out"] {
        assert_eq!(project.destination(path, &kinds).unwrap().url, path);
    }
    assert_eq!(project.destination("duckdb", &kinds).unwrap().url, "duckdb");
    let wrong = project.destination("warehose", &kinds).unwrap_err();
    assert_eq!(wrong.0[0].hint.as_deref(), Some("did you mean 'warehouse'?"));
    for text in [format!("{project:?}"), format!("{warehouse:?}"), format!("{:?}", warehouse.section)] {
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn variables_say_what_a_kind_needs_and_lists() {
    let folder = Folder::new()
        .with("longshore.toml", "[pipeline]\nname = \"p\"\ndestination = \"postgres\"\n")
        .with("secrets.toml", "[destinations.duckdb]\npath = \"a.duckdb\"\n")
        .env("LONGSHORE_DESTINATIONS__POSTGRES__HOST", "db")
        .env("DESTINATION__POSTGRES__CREDENTIALS__DATABASE", "shop")
        .env("LONGSHORE_PIPELINE__DESTINATION", "[\"postgres\", \"./lake\"]");
    let project = folder.open().unwrap();
    assert_eq!(project.pipeline().destinations, ["postgres", "./lake"]);
    let kinds = ["duckdb", "postgres"];
    let target = project.destination("postgres", &kinds).unwrap();
    assert_eq!(json!(target.settings), json!({"host": "db", "credentials": {"database": "shop"}}));
    // A section that is called as a kind is of that kind.
    let target = project.destination("duckdb", &kinds).unwrap();
    assert_eq!((target.url.as_str(), json!(target.settings)), ("duckdb", json!({"path": "a.duckdb"})));
    assert!(Folder::new().env("LONGSHORE_PIPELINE__DESTINATION", "[]").open().is_err());
}

#[test]
fn values_of_the_pipelines_section_are_checked_at_their_place() {
    let text = "[pipeline]\nname = \"a/b\"\nmemory = \"abc\"\nschema_contract = \"freez\"\n";
    let folder = Folder::new().with("longshore.toml", text);
    let problems = folder.open().unwrap_err();
    let hints: Vec<_> = problems.0.iter().filter_map(|p| p.hint.clone()).collect();
    assert!(hints[1].starts_with("write bytes, or 256M") && hints[2] == "did you mean 'freeze'?", "{hints:?}");
    assert_eq!(
        folder.problems(problems),
        [
            "longshore.toml:2:1: 'a/b' cannot name a pipeline (at pipeline.name)",
            "longshore.toml:3:1: 'abc' is no amount of memory (at pipeline.memory)",
            "longshore.toml:4:1: there is no schema contract mode 'freez' (at pipeline.schema_contract)",
        ]
    );
    let one = |contract: &str| {
        let folder = Folder::new().with("longshore.toml", &format!("[pipeline]\nschema_contract = {contract}\n"));
        let problems = folder.open().unwrap_err();
        let hint = problems.0[0].hint.clone().unwrap();
        (folder.problems(problems).remove(0), hint)
    };
    let (message, hint) = one("{ cols = \"freeze\" }");
    assert_eq!(
        message,
        "longshore.toml:2:21: a schema contract knows nothing of 'cols' (at pipeline.schema_contract.cols)"
    );
    assert_eq!(hint, "it speaks of tables, columns and data_type");
    assert_eq!(one("{ column = \"freeze\" }").1, "did you mean 'columns'?");
    assert_eq!(one("{ columns = \"discard\" }").1, "modes are: evolve, freeze, discard_row, discard_value, reject");
    assert!(one("1").0.contains("a schema contract is a mode, or a table of"));
    for good in ["\"freeze\"", "{ tables = \"evolve\", data_type = \"reject\" }", "\"columns=freeze\""] {
        let text = format!("[pipeline]\nmemory = 67108864\nschema_contract = {good}\n");
        assert!(Folder::new().with("longshore.toml", &text).open().is_ok(), "{good}");
    }
}
