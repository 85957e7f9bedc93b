//! Files in an object store and behind HTTP, read as a declared source reads them: real servers on this machine.

#[path = "../../../destinations/filesystem/tests/common/servers.rs"]
#[allow(dead_code, unreachable_pub)]
mod servers;

use longshore_core::connect::Connection;
use longshore_core::error::Result;
use longshore_core::package::LoadId;
use longshore_core::schema::SystemColumns;
use longshore_core::source::{Block, Source, Start};
use longshore_source_files::declared::{FilesConfig, FilesSource};
use longshore_testkit::servers::http::{Answer, Server};
use serde_json::{Value, json};
use servers::{BUCKET, KEY, SECRET};
use std::path::Path;
use std::sync::Mutex;

/// What a load brought: records of JSON, rows of columns, the state after it.
#[derive(Debug, Default)]
struct Loaded {
    ids: Vec<i64>,
    rows: usize,
    names: Vec<String>,
    state: Option<Value>,
}

fn load(section: Value, state: Option<Value>) -> Result<Loaded> {
    let config = FilesConfig::read("f", &section).unwrap_or_else(|p| panic!("{p:?}"));
    let mut source = FilesSource::new(config, Path::new(""), 64 << 20, &Connection::default())?;
    source.begin(&Start { load_id: LoadId::from_micros(1, SystemColumns::Native), state, journal: None })?;
    let mut loaded = Loaded::default();
    while let Some(block) = source.next_block()? {
        match block {
            Block::Columns(block) => {
                loaded.rows += block.rows.num_rows();
                loaded.names.push(block.origin.to_string());
            }
            Block::Json(block) => {
                loaded.names.push(block.origin.to_string());
                let values = serde_json::Deserializer::from_slice(&block.bytes).into_iter::<Value>();
                loaded.ids.extend(values.map(|v| v.expect("blocks are JSON")["id"].as_i64().unwrap_or(-1)));
            }
        }
    }
    loaded.names.dedup();
    loaded.state = source.state();
    Ok(loaded)
}

fn lines(ids: std::ops::Range<i64>) -> Vec<u8> {
    ids.map(|i| format!("{{\"id\":{i},\"text\":\"{}\"}}\n", "x".repeat(50))).collect::<String>().into_bytes()
}

fn parquet(rows: i64) -> Vec<u8> {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    let column: ArrayRef = std::sync::Arc::new(Int64Array::from_iter_values(0..rows));
    let batch = RecordBatch::try_from_iter([("id", column)]).expect("one column");
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer in memory");
    writer.write(&batch).expect("rows are written");
    writer.into_inner().expect("the file ends")
}

fn in_bucket(server: &servers::Server, files: &str) -> Value {
    json!({
        "type": "files", "files": files, "only_new": true,
        "credentials": {
            "endpoint_url": format!("http://{}", server.address), "region_name": "eu-north-1",
            "aws_access_key_id": KEY, "aws_secret_access_key": SECRET,
        },
    })
}

fn put(server: &servers::Server, key: &str, bytes: &[u8]) {
    let path = server.root.path().join(BUCKET).join(key);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    std::fs::write(path, bytes).expect("the object is written");
}

#[test]
fn objects_are_found_by_pattern_folder_and_key_and_only_new_ones_are_read_again() {
    let server = servers::s3();
    put(&server, "in/a.ndjson", &lines(0..3));
    put(&server, "in/b.ndjson", &lines(3..5));
    put(&server, "in/deep/c.ndjson", &lines(5..6));
    put(&server, "in/notes.txt", b"no records");
    put(&server, "in/t.parquet", &parquet(10));
    let source = |files: &str| in_bucket(&server, &format!("s3://{BUCKET}/{files}"));

    assert_eq!(load(source("in/a.ndjson"), None).unwrap().ids, [0, 1, 2]);
    assert_eq!(load(source("in/**/*.ndjson"), None).unwrap().ids, [0, 1, 2, 3, 4, 5]);
    let folder = load(source("in/"), None).unwrap();
    assert_eq!((folder.ids.len(), folder.rows), (6, 10), "{:?}", folder.names);

    let first = load(source("in/*.ndjson"), None).unwrap();
    assert_eq!(first.ids, [0, 1, 2, 3, 4]);
    assert_eq!(first.names, [format!("s3://{BUCKET}/in/a.ndjson"), format!("s3://{BUCKET}/in/b.ndjson")]);
    let again = load(source("in/*.ndjson"), first.state.clone()).unwrap();
    assert!(again.ids.is_empty(), "nothing is new");
    put(&server, "in/b.ndjson", &lines(7..10));
    put(&server, "in/d.ndjson", &lines(10..11));
    let third = load(source("in/*.ndjson"), again.state).unwrap();
    assert_eq!(third.ids, [7, 8, 9, 10], "one has changed, one is new");
    assert!(load(source("out/*.ndjson"), None).unwrap().ids.is_empty(), "new ones may come");
}

#[test]
fn what_is_wrong_with_a_bucket_is_said_without_the_secret() {
    let server = servers::s3();
    put(&server, "a.json", b"[{\"id\":1}]");
    let mut missing = in_bucket(&server, &format!("s3://{BUCKET}/b.json"));
    missing["only_new"] = json!(false);
    let error = load(missing, None).unwrap_err();
    assert!(error.to_string().contains("there is no such file"), "{error}");
    let mut wrong = in_bucket(&server, &format!("s3://{BUCKET}/a.json"));
    wrong["credentials"]["aws_secret_access_key"] = json!("hush-hush");
    let error = load(wrong, None).unwrap_err();
    let text = format!("{error} {:?} {:?}", error, error.hint_text());
    assert!(!text.contains("hush-hush"), "{text}");
    let nowhere = in_bucket(&server, "s3://nowhere/*.json");
    let error = load(nowhere, None).unwrap_err();
    assert!(error.to_string().contains("no such bucket"), "{error}");
}

/// A server with ranges whose connections break after so many bytes.
fn breaking(body: Vec<u8>, every: usize, tag: impl Fn() -> String + Send + Sync + 'static) -> Server {
    Server::start(move |asked| {
        if asked.path != "/in/a.ndjson" && asked.path != "/in/t.parquet" {
            return Answer::status(404, &json!({}));
        }
        let from = asked.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let rest = body[from.unwrap_or(0)..].to_vec();
        let status = if from.is_some() { 206 } else { 200 };
        let cut = (asked.method == "GET" && rest.len() > every).then_some(every);
        let answer = Answer { status, body: rest, cut, ..Answer::default() }.header("etag", tag());
        match asked.method.as_str() {
            "HEAD" => answer.header("content-length", body.len().to_string()),
            _ => answer,
        }
    })
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let body = lines(0..5000);
    let server = breaking(body.clone(), 100_000, || "\"v1\"".to_owned());
    let section = json!({ "type": "files", "files": format!("{}/in/a.ndjson?token=hush", server.url) });
    let loaded = load(section, None).unwrap();
    assert_eq!(loaded.ids, (0..5000).collect::<Vec<_>>());
    assert_eq!(loaded.names, [format!("{}/in/a.ndjson", server.url)], "the query may be a secret");
    let gets = server.requests().iter().filter(|r| r.method == "GET").count();
    assert_eq!(gets, body.len().div_ceil(100_000));
}

#[test]
fn what_cannot_be_read_of_parquet_and_feather_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes, said) in [
        ("a.parquet", &b"PARE\0\0\0\0\x04\0\0\0PARE"[..], "the file is encrypted"),
        ("b.parquet", b"PAR1\0\0\0\0", "the file is no Parquet"),
        ("c.feather", b"FEA1\0\0\0\0\0\0\0\0FEA1", "Feather's first version"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the file is written");
        let error = load(json!({ "type": "files", "files": path.display().to_string() }), None).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn parquet_comes_over_http_too() {
    let server = breaking(parquet(1000), 1000, || "\"v1\"".to_owned());
    let section = json!({ "type": "files", "files": format!("{}/in/t.parquet", server.url), "only_new": true });
    let loaded = load(section.clone(), None).unwrap();
    assert_eq!(loaded.rows, 1000);
    assert_eq!(load(section, loaded.state).unwrap().rows, 0, "its tag is known");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_no_mixture() {
    let asked = Mutex::new(0);
    let server = breaking(lines(0..5000), 100_000, move || {
        let mut asked = asked.lock().expect("nobody panics here");
        *asked += 1;
        format!("\"v{}\"", *asked / 3)
    });
    let section = json!({ "type": "files", "files": format!("{}/in/a.ndjson", server.url) });
    let error = load(section, None).unwrap_err();
    assert!(error.to_string().contains("changed while it was read"), "{error}");
}

#[test]
fn without_entity_tags_the_time_of_change_tells_versions_apart() {
    let body = lines(0..5000);
    let server = Server::start(move |asked| {
        let from = asked.header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let rest = body[from.unwrap_or(0)..].to_vec();
        let status = if from.is_some() { 206 } else { 200 };
        let cut = (asked.method == "GET" && rest.len() > 100_000).then_some(100_000);
        let day = if asked.path == "/new.ndjson" && from.is_some() { "22" } else { "21" };
        let answer = Answer { status, body: rest, cut, ..Answer::default() };
        answer.header("last-modified", format!("Wed, {day} Oct 2025 07:28:00 GMT"))
    });
    let at = |name: &str| json!({ "type": "files", "files": format!("{}/{name}.ndjson", server.url) });
    assert_eq!(load(at("same"), None).unwrap().ids.len(), 5000);
    let error = load(at("new"), None).unwrap_err();
    assert_eq!(error.message(), "the file was changed while it was read");
    assert!(error.hint_text().unwrap().contains("run the same command again"));
}

#[test]
fn an_address_that_is_signed_for_get_alone_is_read() {
    let server = Server::start(|asked| match asked.method.as_str() {
        "HEAD" => Answer { status: 403, ..Answer::default() },
        _ => Answer { body: lines(0..3), ..Answer::default() }.header("etag", "\"v1\""),
    });
    let section =
        json!({ "type": "files", "files": format!("{}/a.ndjson?X-Signature=hush", server.url), "only_new": true });
    let loaded = load(section.clone(), None).unwrap();
    assert_eq!(loaded.ids, [0, 1, 2]);
    assert!(load(section, loaded.state).unwrap().ids.is_empty(), "its tag is known");
}

#[test]
fn what_is_sent_to_a_host_goes_to_no_other_and_no_password_is_shown() {
    let other = Server::start(|_| Answer { body: lines(0..1), ..Answer::default() });
    let there = format!("{}/b.ndjson", other.url);
    let server = Server::start(move |asked| match asked.path.as_str() {
        "/here.ndjson" => Answer { status: 302, ..Answer::default() }.header("location", "/a.ndjson"),
        "/away.ndjson" => Answer { status: 302, ..Answer::default() }.header("location", there.as_str()),
        "/loop.ndjson" => Answer { status: 302, ..Answer::default() }.header("location", "/loop.ndjson"),
        _ if asked.header("authorization") != Some("Basic dXM6cEBzcw==") => Answer { status: 401, ..Answer::default() },
        _ => Answer { body: lines(0..2), ..Answer::default() },
    });
    let at = |name: &str, user: &str| {
        let url = server.url.replace("://", &format!("://{user}@"));
        json!({ "type": "files", "files": format!("{url}/{name}.ndjson?sig=hush"), "headers": { "X-Key": "hush" } })
    };
    let loaded = load(at("here", "us:p%40ss"), None).unwrap();
    assert_eq!((loaded.ids.len(), &loaded.names[..]), (2, &[format!("{}/here.ndjson", server.url)][..]));
    assert_eq!(load(at("away", "us:p%40ss"), None).unwrap().ids.len(), 1);
    for asked in other.requests() {
        for name in ["x-key", "authorization", "referer"] {
            assert_eq!(asked.header(name), None, "{name}");
        }
    }
    for (name, said) in [("a", "401"), ("loop", "more than 10 redirects")] {
        let error = load(at(name, "us:hush"), None).unwrap_err();
        assert!(error.to_string().contains(said) && !format!("{error:?}").contains("hush"), "{error:?}");
    }
}

#[test]
fn behind_http_are_no_patterns_and_what_is_gone_is_missed() {
    let server = Server::start(|_| Answer::status(404, &json!({})));
    let section = json!({ "type": "files", "files": format!("{}/*.json", server.url) });
    let problems = FilesConfig::read("f", &section).unwrap_err();
    assert!(problems[0].message.contains("there are no patterns"), "{problems:?}");
    let gone = json!({ "type": "files", "files": format!("{}/a.json", server.url), "only_new": true });
    let error = load(gone, None).unwrap_err();
    assert!(error.to_string().contains("there is no such file"), "{error}");
}

/// A store of S3's that has just these objects.
fn bucket_of(objects: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |asked| {
        if asked.raw_query.contains("list-type=2") {
            let prefix = asked.query.get("prefix").map_or("", String::as_str);
            let listed = objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(key, body)| {
                let time = "2025-01-01T00:00:00.000Z";
                let (size, key) = (body.len(), key.replace('&', "&amp;"));
                format!("<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{time}</LastModified></Contents>")
            });
            let xml = format!("<ListBucketResult>{}</ListBucketResult>", listed.collect::<String>());
            return Answer { body: xml.into_bytes(), ..Answer::default() };
        }
        let key = asked.path.replace("%5B", "[").replace("%5D", "]");
        let key = key.strip_prefix("/lake/").unwrap_or_default();
        match objects.iter().find(|(name, _)| *name == key) {
            Some((_, body)) if *body != "forbidden" => {
                let answer = Answer { body: body.as_bytes().to_vec(), ..Answer::default() };
                answer.header("last-modified", "Wed, 01 Jan 2025 00:00:00 GMT")
            }
            Some(_) => {
                let body = b"<Error><Code>AccessDenied</Code></Error>".to_vec();
                Answer { status: 403, body, ..Answer::default() }
            }
            None => Answer { status: 404, ..Answer::default() },
        }
    })
}

fn in_lake(server: &Server, files: &str) -> Value {
    json!({
        "type": "files", "files": format!("s3://lake/{files}"),
        "credentials": {
            "endpoint_url": server.url, "region_name": "eu-north-1",
            "aws_access_key_id": KEY, "aws_secret_access_key": SECRET,
        },
    })
}

#[test]
fn folders_made_by_hand_and_names_that_cannot_be_read_are_in_nobodys_way() {
    let server = bucket_of(&[
        ("in/", ""),
        ("in/sub/", ""),
        ("in/a.json", "{\"id\":1}"),
        ("in/empty.json", ""),
        ("in//b.json", "{\"id\":2}"),
        ("in/sub/c[1].json", "{\"id\":3}"),
    ]);
    assert_eq!(load(in_lake(&server, "in/*"), None).unwrap().ids, [1]);
    assert_eq!(load(in_lake(&server, "in/sub/**"), None).unwrap().ids, [3]);
    assert_eq!(load(in_lake(&server, "in/sub/c[1].json"), None).unwrap().ids, [3]);
    assert!(!server.requests().iter().any(|r| r.path.ends_with("empty.json") || r.path.ends_with("sub")));
    for all in ["in/", "in/**"] {
        let error = load(in_lake(&server, all), None).unwrap_err();
        assert!(error.to_string().contains("\"in//b.json\""), "{error}");
    }
}

#[test]
fn small_objects_are_asked_for_before_their_turn_and_come_in_order() {
    static OBJECTS: std::sync::OnceLock<Vec<(&str, &str)>> = std::sync::OnceLock::new();
    let objects = OBJECTS.get_or_init(|| {
        let leak = |text: String| -> &'static str { text.leak() };
        (0..60).map(|i| (leak(format!("in/{i:02}.json")), leak(format!("{{\"id\":{i}}}")))).collect()
    });
    let server = bucket_of(objects);
    let loaded = load(in_lake(&server, "in/*.json"), None).unwrap();
    assert_eq!(loaded.ids, (0..60).collect::<Vec<_>>());
    assert_eq!(server.requests().iter().filter(|r| r.path.starts_with("/lake/in/")).count(), 60);
}

#[test]
fn what_a_store_refuses_is_said_with_what_to_do() {
    let server = bucket_of(&[("in/a.json", "{\"id\":1}"), ("in/b.csv", "forbidden"), ("in/c.json", "forbidden")]);
    for file in ["in/*.csv", "in/*.json"] {
        let error = load(in_lake(&server, file), None).unwrap_err();
        assert_eq!(error.message(), "the object cannot be read: the permission s3:GetObject is missing", "{file}");
        assert!(error.hint_text().unwrap().starts_with("give the credentials s3:GetObject"), "{file}");
    }
}

#[test]
fn http_errors_are_said_or_passed_over() {
    let server = Server::start(|asked| match (asked.path.as_str(), asked.header("x-key")) {
        ("/secret.json", None) => Answer::status(401, &json!({})),
        ("/secret.json", Some("k")) => Answer { body: b"{\"id\":1}".to_vec(), ..Answer::default() },
        _ => Answer::status(404, &json!({})),
    });
    let at = |path: &str| json!({ "type": "files", "files": format!("{}{path}", server.url) });
    let error = load(at("/secret.json"), None).unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
    let mut with_key = at("/secret.json");
    with_key["headers"] = json!({ "X-Key": "k" });
    assert_eq!(load(with_key, None).unwrap().ids, [1]);
    assert!(load(at("/none.json"), None).unwrap_err().to_string().contains("there is no such file"));
}
