//! REST APIs by the command: projects of `init`, `check --connect`, the same tables as dlt's, and a server in chaos
//! while the command is killed.

use longshore_testkit::servers::http::{Answer, Asked, Server};
use longshore_testkit::servers::referral_hero::{self, Options, TOKEN};
use longshore_tests::{Lab, Output, python, rows_in};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn run(lab: &Lab, args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = lab.command(args);
    command.env("HOME", lab.path("home")).envs(environment.iter().copied());
    Output::of(command)
}

fn ok(output: Output) -> Output {
    assert_eq!(output.status, Some(0), "{output:#?}");
    output
}

fn count(lab: &Lab, dataset: &str, table: &str) -> u64 {
    let rows = rows_in(&lab.database(), dataset, &format!("SELECT count(*) FROM {dataset}.{table}"));
    rows[0][0].as_u64().unwrap_or_default()
}

/// The berries of the template: pages of ten with a link to the next, and one page for each.
fn berries(asked: &Asked, url: &str) -> Answer {
    let path = asked.path.trim_matches('/');
    if let Some(name) = path.strip_prefix("berry/") {
        return Answer::json(&json!({ "name": name, "flavors": [{ "flavor": "spicy" }, { "flavor": "dry" }] }));
    }
    let from = asked.number("offset", 0);
    let results: Vec<Value> = (from..(from + 10).min(25)).map(|i| json!({ "name": format!("b{i}") })).collect();
    let next = if from + 10 < 25 { json!(format!("{url}/berry?offset={}", from + 10)) } else { Value::Null };
    Answer::json(&json!({ "count": 25, "next": next, "results": results }))
}

fn berry_server() -> Server {
    let url: Arc<std::sync::OnceLock<String>> = Arc::default();
    let known = Arc::clone(&url);
    let server = Server::start(move |asked| berries(asked, known.get().map_or("", String::as_str)));
    let _ = url.set(server.url.clone());
    server
}

#[test]
fn init_rest_api_writes_a_project_that_runs() {
    let (lab, server) = (Lab::new(), berry_server());
    ok(run(&lab, &["init", "rest_api", "duckdb", "p"], &[]));
    let environment = [("LONGSHORE_SOURCES__REST_API_SOURCE__CLIENT__BASE_URL", server.url.as_str())];
    ok(run(&lab, &["run", "p"], &environment));
    assert_eq!(count(&lab, "rest_api_data", "berry"), 25);
    assert_eq!(count(&lab, "rest_api_data", "berry_details__flavors"), 50);
}

#[test]
fn init_openapi_writes_a_project_that_runs() {
    let server = Server::start(|asked| match asked.path.trim_end_matches('/') {
        "/v1/pets" => {
            let page = asked.number("page", 1);
            let pets: Vec<Value> = if page > 3 { Vec::new() } else { vec![json!({ "id": page, "name": "pet" })] };
            Answer::json(&json!({ "items": pets }))
        }
        path if path.ends_with("/toys") => match asked.number("offset", 0) {
            0 => Answer::json(&json!([{ "toy": path }, { "toy": "ball" }])),
            _ => Answer::json(&json!([])),
        },
        path if path.ends_with("/parts") => Answer::json(&json!({ "parts": [{ "part": path }] })),
        _ => Answer::status(404, &json!({})),
    });
    let lab = Lab::new();
    let spec = json!({
        "openapi": "3.0.0", "info": { "title": "Pet Shop" }, "servers": [{ "url": format!("{}/v1", server.url) }],
        "paths": {
            "/pets": { "get": { "parameters": [{ "name": "page", "in": "query" }], "responses": { "200": { "content": {
                "application/json": { "schema": { "properties": { "items": { "type": "array" } } } } } } } } },
            "/pets/{petId}/toys": { "get": {
                "parameters": [{ "name": "offset", "in": "query" }, { "name": "limit", "in": "query" }],
                "responses": { "200": { "content": { "application/json": { "schema": {
                    "type": "array", "items": { "properties": { "toy": { "type": "string" } } } } } } } } } },
            "/pets/{petId}/toys/{toy}/parts": { "get": { "responses": { "200": { "content": { "application/json": { "schema": {
                "allOf": [{ "properties": { "parts": { "type": "array", "items": { "type": "object" } } } }] } } } } } } },
            "/pets/{petId}": { "get": { "responses": { "200": { "content": { "application/json": { "schema": { "type": "object" } } } } } } },
        },
    });
    lab.write("spec.json", spec.to_string());
    ok(run(&lab, &["init", "openapi", "spec.json", "duckdb", "p"], &[]));
    ok(run(&lab, &["check", "p", "--connect"], &[]));
    ok(run(&lab, &["run", "p"], &[]));
    let counts = ["pets", "pets_toys", "pets_toys_parts"].map(|table| count(&lab, "pet_shop_data", table));
    assert_eq!(counts, [3, 6, 6]);
}

#[test]
fn init_referral_hero_writes_a_project_that_runs() {
    let (lab, server) = (Lab::new(), referral_hero::start(Options { subscribers: 3, ..Options::default() }));
    ok(run(&lab, &["init", "referral_hero", "duckdb", "p"], &[]));
    let url = format!("{}/api/v2/", server.url);
    let environment = [
        ("LONGSHORE_SOURCES__REFERRAL_HERO_SOURCE__CLIENT__BASE_URL", url.as_str()),
        ("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", TOKEN),
    ];
    let checked = ok(run(&lab, &["check", "p", "--connect"], &environment));
    assert!(checked.stdout.contains(&format!("{url} answers")), "{checked:#?}");
    ok(run(&lab, &["run", "p"], &environment));
    assert_eq!(count(&lab, "referral_hero_data", "subscribers"), 6);
}

#[test]
fn sources_record_into_one_folder_without_the_secrets_of_the_project() {
    let server = Server::start(|asked| {
        let page = asked.number("page", 1);
        Answer::json(&json!({ "data": [{ "id": page, "asked": asked.raw_query }], "page": page, "total_pages": 2 }))
    });
    let lab = Lab::new();
    let source = |name: &str| {
        format!(
            "[sources.{name}]\ntype = \"rest_api\"\nclient = {{ base_url = \"{}/{name}\" }}\n\
             resources = [{{ name = \"{name}_things\", endpoint = {{ params = {{ account = {{ secret = \"api.account\" }} }} }} }}]\n",
            server.url
        )
    };
    lab.write("longshore.toml", format!("[pipeline]\nname = \"p\"\n{}{}", source("one"), source("two")));
    lab.write("secrets.toml", "[api]\naccount = \"hush-hush\"\n");
    ok(run(&lab, &["run", "--record", "recorded"], &[]));
    let files: Vec<PathBuf> = std::fs::read_dir(lab.path("recorded")).unwrap().map(|f| f.unwrap().path()).collect();
    assert_eq!((files.len(), server.requests().len()), (4, 4), "an answer a file");
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("account=***") && !text.contains("hush"), "{text}");
    }
    let replayed = ok(run(&lab, &["run", "--replay", "recorded", "--pipeline", "q"], &[]));
    assert!(replayed.stdout.contains('4') && server.requests().len() == 4, "{replayed:#?}");
    // Whoever is given the recording has no secrets, and needs none.
    std::fs::remove_file(lab.path("secrets.toml")).unwrap();
    let replayed = ok(run(&lab, &["run", "--replay", "recorded", "--pipeline", "r"], &[]));
    assert!(replayed.stdout.contains('4') && server.requests().len() == 4, "{replayed:#?}");
    let asked = run(&lab, &["run", "--pipeline", "s"], &[]);
    assert!(asked.status == Some(2) && asked.stderr.contains("the secret 'api.account'"), "{asked:#?}");
}

#[test]
fn check_asks_apis_and_destinations_once() {
    let (lab, server) = (
        Lab::new(),
        Server::start(|asked| match asked.header("authorization") {
            Some("Bearer right") => Answer::json(&json!([{ "id": 1 }])),
            _ => Answer::status(401, &json!({ "code": "no_token" })),
        }),
    );
    let project = |token: &str, url: &str| {
        format!(
            "[sources.api]\ntype = \"rest_api\"\nresources = [\"things\"]\n\
             client = {{ base_url = \"{url}\", auth = {{ token = \"{token}\" }} }}\n\
             [destinations.new]\ntype = \"duckdb\"\npath = \"not_there_yet.duckdb\"\n"
        )
    };
    lab.write("longshore.toml", project("right", &server.url));
    let right = ok(run(&lab, &["check", "--connect"], &[]));
    assert!(
        right.stdout.contains("source api: ") && right.stdout.contains("not_there_yet.duckdb answers"),
        "{right:#?}"
    );
    assert_eq!(server.requests().len(), 1);
    assert!(!lab.path("not_there_yet.duckdb").exists(), "checking makes nothing");
    ok(run(&lab, &["check"], &[]));
    assert_eq!(server.requests().len(), 1, "only when it is asked for");

    lab.write("longshore.toml", project("wrong-token", &server.url));
    let wrong = run(&lab, &["check", "--connect"], &[]);
    assert_eq!(wrong.status, Some(2), "{wrong:#?}");
    assert!(wrong.stderr.contains("longshore.toml:1:") && wrong.stderr.contains("401"), "{wrong:#?}");
    assert!(wrong.stderr.contains("bearer") && !wrong.stderr.contains("wrong-token"), "{wrong:#?}");

    drop(server);
    lab.write("longshore.toml", project("right", "http://127.0.0.1:1"));
    let nobody = run(&lab, &["check", "--connect"], &[]);
    assert!(nobody.status == Some(2) && nobody.stderr.contains("no connection"), "{nobody:#?}");
    assert!(nobody.stderr.contains("refused"), "the cause is told, too: {nobody:#?}");

    let certificate = project("right", "https://h").replace("auth =", "root_certificates = [\"no.pem\"], auth =");
    lab.write("longshore.toml", certificate);
    let missing = run(&lab, &["check"], &[]);
    assert!(missing.status == Some(2) && missing.stderr.contains("no.pem'"), "{missing:#?}");
    lab.write("longshore.toml", "[pipeline]\nname = \"p\"\n");
    let empty = ok(run(&lab, &["check"], &[]));
    assert!(empty.stdout.contains("no source is declared"), "{empty:#?}");
}

#[test]
fn files_behind_http_are_loaded_by_project_and_by_command() {
    let lab = Lab::new();
    let server = Server::start(|asked| match asked.path.as_str() {
        "/orders.csv" => {
            Answer { body: b"id,price\n1,2.5\n2,3\n".to_vec(), ..Answer::default() }.header("etag", "\"1\"")
        }
        "/orders.ndjson" => Answer { body: b"{\"id\":1,\"l\":[1,2]}\n".to_vec(), ..Answer::default() },
        _ => Answer::status(404, &json!({})),
    });
    ok(run(&lab, &["load", &format!("{}/orders.ndjson?token=hush", server.url), "--dataset", "d"], &[]));
    assert_eq!((count(&lab, "d", "orders"), count(&lab, "d", "orders__l")), (1, 2));
    let pages = [1, 2, 1].map(|page| format!("{}/orders.ndjson?page={page}", server.url));
    let several =
        [&["load"], &pages.each_ref().map(String::as_str)[..], &["--dataset", "q", "--pipeline", "q"]].concat();
    ok(run(&lab, &several, &[]));
    let csv = [1, 2].map(|page| format!("{}/orders.csv?page={page}", server.url));
    ok(run(&lab, &["load", &csv[0], &csv[1], "--table", "prices", "--dataset", "q", "--pipeline", "q"], &[]));
    assert_eq!(count(&lab, "q", "prices"), 4, "the ending is still known");
    assert_eq!(count(&lab, "q", "orders"), 2, "two queries are two files, and one of them is named twice");
    let missing = run(&lab, &["load", &format!("{}/none.ndjson?token=hush", server.url)], &[]);
    assert!(missing.status == Some(1) && !missing.stderr.contains("hush"), "{missing:#?}");

    let project = format!(
        "[sources.web]\ntype = \"files\"\nfiles = \"{}/orders.csv\"\nonly_new = true\nmetadata = true\n",
        server.url
    );
    lab.write("longshore.toml", project);
    for _ in 0..2 {
        ok(run(&lab, &["run", "--dataset", "p"], &[]));
    }
    let rows = rows_in(&lab.database(), "p", "SELECT id, price, _file_name FROM p.web ORDER BY id");
    assert_eq!(rows.len(), 2, "the second run finds nothing new");
    assert_eq!(rows[0], [json!(1), json!(2.5), json!(format!("{}/orders.csv", server.url))]);
}

#[test]
fn parquet_and_arrow_are_loaded_and_unnested_where_asked() {
    let lab = Lab::new();
    let script = "import pyarrow as pa, pyarrow.parquet as pq, pyarrow.ipc, datetime, decimal, sys\n\
        t = pa.table({'Id': [1, 2], 'at': pa.array([datetime.datetime(2024, 1, 1), None], pa.timestamp('ns')),\n\
        'price': [decimal.Decimal('1.25'), None], 'raw': [b'\\x00\\xff', None], 'lines': [[{'sku': 'a'}, {'sku': 'b'}], None]})\n\
        pq.write_table(t, sys.argv[1], compression='gzip')\n\
        with pa.OSFile(sys.argv[2], 'wb') as f, pa.ipc.new_file(f, t.schema) as w: w.write_table(t)\n";
    let (parquet, arrow) = (lab.path("x.parquet"), lab.path("x.arrow"));
    let made = Command::new(python()).args(["-c", script]).args([&parquet, &arrow]).output().expect("Python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    ok(run(&lab, &["load", "x.parquet", "x.arrow", "--dataset", "d"], &[]));
    let sql = "SELECT id, \"at\"::VARCHAR, price, hex(raw), lines::VARCHAR FROM d.x ORDER BY _row_id";
    let rows = rows_in(&lab.database(), "d", sql);
    let full = json!([1, "2024-01-01 00:00:00+00", 1.25, "00FF", "[{\"sku\":\"a\"},{\"sku\":\"b\"}]"]);
    let empty = json!([2, null, null, null, null]);
    assert_eq!(json!(rows), json!([full, empty, full, empty]));
    ok(run(&lab, &["load", "x.parquet", "--unnest", "lines", "--dataset", "u", "--pipeline", "u"], &[]));
    assert_eq!((count(&lab, "u", "x"), count(&lab, "u", "x__lines")), (2, 2));
    let slip = run(&lab, &["load", "x.parquet", "--unnest", "line", "--dataset", "v", "--pipeline", "v"], &[]);
    assert_eq!(slip.status, Some(2), "{slip:#?}");
    assert!(slip.stderr.contains("no file has the column 'line'") && slip.stderr.contains("'lines'"), "{slip:#?}");
    // One of several files is enough, and a stream has an ending of its own.
    std::fs::copy(&arrow, lab.path("y.arrow")).expect("a copy");
    let script = "import pyarrow as pa, sys\n\
        with pa.OSFile(sys.argv[1], 'wb') as f, pa.ipc.new_stream(f, pa.schema([('Id', pa.int64())])) as w:\n\
        \x20 w.write_table(pa.table({'Id': [3]}))\n";
    let made = Command::new(python()).args(["-c", script]).arg(lab.path("z.arrows")).output().expect("Python starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let several =
        ["load", "z.arrows", "y.arrow", "--table", "t", "--unnest", "Lines", "--dataset", "w", "--pipeline", "w"];
    ok(run(&lab, &several, &[]));
    assert_eq!((count(&lab, "w", "t"), count(&lab, "w", "t__lines")), (3, 2));
    let bytes = std::fs::read(&parquet).expect("the file is there");
    let server = Server::start(move |_| Answer { body: bytes.clone(), ..Answer::default() });
    let url = format!("{}/x.parquet", server.url);
    let far = run(&lab, &["load", &url, "--unnest", "lines.sku", "--dataset", "f", "--pipeline", "f"], &[]);
    assert!(far.status == Some(2) && far.stderr.contains("write 'lines'"), "{far:#?}");
    lab.write("broken.parquet", "PAR1 but no more");
    let broken = run(&lab, &["load", "broken.parquet"], &[]);
    assert!(broken.status == Some(1) && broken.stderr.contains("no Parquet"), "{broken:#?}");
}

const RESOURCES: [&str; 11] = [
    "lists",
    "list_rewards",
    "subscribers",
    "subscriber",
    "subscriber_by_email",
    "subscriber_referred",
    "subscriber_rewards",
    "rewards",
    "coupon_groups",
    "coupons",
    "track_transactions",
];

type Rows = Vec<Vec<Value>>;

/// Columns with their types, and the rows of the data, of every table.
fn tables(database: &Path, dataset: &str) -> Vec<(String, Rows, Rows)> {
    let sql = format!(
        "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = '{dataset}' AND table_name NOT LIKE '\\_dlt\\_%' ESCAPE '\\' ORDER BY 1"
    );
    let names = rows_in(database, dataset, &sql);
    let table = |name: &str| {
        let sql = format!(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = '{dataset}' AND table_name = '{name}' ORDER BY 1"
        );
        let columns = rows_in(database, dataset, &sql);
        let data: Vec<&str> =
            columns.iter().filter_map(|c| c[0].as_str()).filter(|c| !c.starts_with("_dlt_")).collect();
        let data = data.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ");
        let rows = rows_in(database, dataset, &format!("SELECT {data} FROM {dataset}.{name} ORDER BY ALL"));
        (name.to_owned(), columns, rows)
    };
    names.iter().filter_map(|n| n[0].as_str()).map(table).collect()
}

#[test]
fn dlt_makes_the_same_tables_of_the_same_configuration() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/referral_hero/longshore.toml");
    let (lab, server) = (Lab::new(), referral_hero::start(Options { subscribers: 7, ..Options::default() }));
    let url = format!("{}/api/v2/", server.url);
    let project = lab.write("longshore.toml", std::fs::read(&example).expect("the example is there"));
    let select = RESOURCES.join(",");
    let environment = [
        ("LONGSHORE_SOURCES__REFERRAL_HERO_SOURCE__CLIENT__BASE_URL", url.as_str()),
        ("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", TOKEN),
    ];
    ok(run(&lab, &["run", "--system-columns", "dlt", "--select", &select], &environment));

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/rest_api_by_dlt.py");
    let by_dlt: PathBuf = lab.path("dlt.duckdb");
    let mut command = Command::new(python());
    command.arg(script).arg(&project).args(["referral_hero_source", &url, TOKEN]).arg(&by_dlt);
    command
        .arg("referral_hero_data")
        .args(RESOURCES)
        .env("RUNTIME__DLTHUB_TELEMETRY", "false")
        .current_dir(lab.path(""));
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let (ours, theirs) = (tables(&lab.database(), "referral_hero_data"), tables(&by_dlt, "referral_hero_data"));
    let names = |t: &[(String, Rows, Rows)]| t.iter().map(|t| t.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    assert!(RESOURCES.iter().all(|r| names(&ours).contains(&(*r).to_owned())), "{:?}", names(&ours));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours.1, theirs.1, "columns of {}", ours.0);
        assert_eq!(ours.2, theirs.2, "rows of {}", ours.0);
    }
}

/// Pages of three users, their orders in pages of two, and events by a cursor.
fn shop(asked: &Asked) -> Answer {
    let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    let paged = |all: Vec<Value>| {
        let part: Vec<Value> = all.chunks(3).nth(asked.number("page", 1) as usize - 1).unwrap_or_default().to_vec();
        Answer::json(&json!({ "data": part, "total_pages": all.len().div_ceil(3) }))
    };
    match parts.as_slice() {
        ["users"] => paged((0..9).map(|i| json!({ "id": i })).collect()),
        ["users", user, "orders"] => {
            let user: u64 = user.parse().unwrap_or(0);
            paged((0..user % 5).map(|i| json!({ "id": user * 100 + i, "lines": [{ "n": 1 }, { "n": 2 }] })).collect())
        }
        ["events"] => {
            let from = asked.number("cursor", 0);
            let part: Vec<Value> = (from..(from + 4).min(30)).map(|i| json!({ "id": i })).collect();
            let next = if from + 4 < 30 { json!((from + 4).to_string()) } else { Value::Null };
            Answer::json(&json!({ "data": part, "next_cursor": next }))
        }
        _ => Answer::status(404, &json!({})),
    }
}

const SHOP: &str = r#"
[sources.shop]
type = "rest_api"
client = { base_url = "URL", backoff_factor = 0.001, max_attempts = 60, timeout = 0.4 }
[sources.shop.resource_defaults.endpoint]
data_selector = "data"
paginator = { type = "page_number", base_page = 1, total_path = "total_pages" }
[[sources.shop.resources]]
name = "users"
[[sources.shop.resources]]
name = "orders"
endpoint = { path = "users/{resources.users.id}/orders" }
[[sources.shop.resources]]
name = "events"
endpoint = { paginator = { type = "cursor", cursor_path = "next_cursor" } }
"#;

/// A number that looks random and is the same for the same seed and count.
fn dice(seed: u64, n: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(n.wrapping_mul(0xBF58_476D_1CE4_E5B9)) | 1;
    for _ in 0..3 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// Every third request or so goes wrong: refused, failed, cut, or late.
fn chaotic(asked: &Asked, seed: u64, call: u64) -> Answer {
    let (answer, throw) = (shop(asked), dice(seed, call));
    let half = answer.body.len() / 2;
    match throw % 20 {
        0 => Answer::status(500, &json!({ "error": "chaos" })),
        1 => Answer::status(429, &json!({})).header("retry-after", "0"),
        2 => Answer::status(503, &json!({})),
        3 => Answer { cut: Some(half), ..answer },
        4 => Answer { cut: Some(0), ..answer },
        // Cut without anyone being told: what is there is no JSON.
        5 => Answer { body: answer.body[..half].to_vec(), ..answer },
        6 if throw % 10 == 0 => Answer { delay: Duration::from_millis(600), ..answer },
        7 => Answer { delay: Duration::from_millis(throw % 15), ..answer },
        _ => answer,
    }
}

fn in_chaos(seed: u64) {
    let lab = Lab::new();
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let server = Server::start(move |asked| chaotic(asked, seed, counted.fetch_add(1, Ordering::Relaxed)));
    lab.write("longshore.toml", SHOP.replace("URL", &server.url));
    // There are 22 pages: a kill comes before the last of them was asked for.
    for kill in 0..seed % 4 {
        let until = calls.load(Ordering::Relaxed) + 1 + dice(seed, 1000 + kill) % 6;
        let mut child = lab.command(&["run", "--progress", "off"]).spawn().expect("the binary starts");
        while calls.load(Ordering::Relaxed) < until && child.try_wait().expect("a child").is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = child.kill(); // SIGKILL
        assert_ne!(child.wait().expect("it ends").code(), Some(0), "seed {seed}: the run ended before it was killed");
    }
    let mut last = lab.run(&["run", "--progress", "off"]);
    for _ in 0..5 {
        if last.status == Some(0) {
            break;
        }
        last = lab.run(&["run", "--progress", "off"]); // the chaos was too much for one run's attempts
    }
    assert_eq!(last.status, Some(0), "seed {seed}: {last:#?}");
    let sql = "SELECT (SELECT list(id ORDER BY id) FROM users), (SELECT list(id ORDER BY id) FROM orders), \
               (SELECT count(*) FROM orders__lines), (SELECT list(id ORDER BY id) FROM events), (SELECT count(*) FROM _loads)";
    let orders: Vec<u64> = (0..9).flat_map(|user| (0..user % 5).map(move |i| user * 100 + i)).collect();
    let (users, lines): (Vec<u64>, _) = ((0..9).collect(), 2 * orders.len());
    let events: Vec<u64> = (0..30).collect();
    let found = rows_in(&lab.database(), "shop_dataset", sql);
    assert_eq!(json!(found), json!([[users, orders, lines, events, 1]]), "seed {seed}: {last:#?}");
}

/// `LONGSHORE_CHAOS` is the number of runs (200).
#[test]
fn chaos_and_kills_end_with_exactly_the_servers_records() {
    let runs = std::env::var("LONGSHORE_CHAOS").ok().and_then(|n| n.parse().ok()).unwrap_or(200);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= runs {
                        break;
                    }
                    in_chaos(seed);
                }
            });
        }
    });
}

#[test]
fn a_proxy_of_the_environment_is_named_without_its_password() {
    let lab = Lab::new();
    lab.write(
        "p/longshore.toml",
        "[sources.s]\ntype = \"rest_api\"\nclient = { base_url = \"http://api.invalid/\", max_attempts = 1 }\nresources = [\"a\"]\n",
    );
    let environment = [("HTTP_PROXY", "http://me:hush@127.0.0.1:1"), ("NO_PROXY", ""), ("http_proxy", "")];
    let failed = run(&lab, &["run", "p"], &environment);
    assert!(failed.stderr.contains("proxy of the environment 127.0.0.1:1"), "{failed:#?}");
    assert!(failed.stderr.contains("check HTTP_PROXY") && !failed.stderr.contains("hush"), "{failed:#?}");
    let without = run(&lab, &["run", "p"], &[("HTTP_PROXY", "http://127.0.0.1:1"), ("NO_PROXY", "api.invalid")]);
    assert!(without.status == Some(1) && !without.stderr.contains("proxy of the environment"), "{without:#?}");
}

/// An API may send any number of brackets: the process goes on, and what is not looked into stays.
#[test]
fn records_nested_without_end_go_through_steps() {
    let server = Server::start(|_| {
        let deep = format!("[{{\"id\":1,\"x\":{}{}}}]", "[".repeat(100_000), "]".repeat(100_000));
        Answer { body: deep.into_bytes(), ..Answer::default() }
    });
    let lab = Lab::new();
    for (name, step, rows) in [
        ("a", "{ set = { y = 2 } }", Some(1)),
        ("b", "{ filter = \"@.id == 2\" }", Some(0)),
        ("c", "{ drop = [\"x\"] }, { jq = \"{id, z: 1}\" }", Some(1)),
        ("d", "{ jq = \".\" }", None),
    ] {
        let client = format!("client = {{ base_url = \"{}\" }}", server.url);
        let endpoint = "endpoint = { path = \"a\", paginator = \"single_page\" }";
        lab.write(
            &format!("{name}/longshore.toml"),
            format!(
                "[pipeline]\nname = \"{name}\"\ndataset = \"{name}\"\n[sources.s]\ntype = \"rest_api\"\n{client}\n\
                 [[sources.s.resources]]\nname = \"a\"\nmax_table_nesting = 2\n{endpoint}\nprocessing_steps = [{step}]\n"
            ),
        );
        let done = run(&lab, &["run", name], &[]);
        match rows {
            Some(rows) => assert!(ok(done).stdout.contains(&format!(": {rows} records ("))),
            None => assert!(
                done.status == Some(1) && done.stderr.contains("nested too deeply for a jq program"),
                "{done:#?}"
            ),
        }
    }
}
