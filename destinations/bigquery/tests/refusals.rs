//! What no emulator refuses: rights, quotas, locations, rows that do not fit. A strict double answers as the API's documentation
//! says (https://cloud.google.com/bigquery/docs/error-messages) and notes every request it has no answer for.

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::error::{Error, ErrorKind};
use longshore_testkit::fixture::{PackageBuilder, load};
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// What is answered to requests that begin so. Of two for the same request, the second holds once something was uploaded.
type Pair = (&'static str, u16, Value);

struct Double {
    url: String,
    /// First lines of requests, and those that nobody should have sent.
    asked: Arc<Mutex<Vec<String>>>,
    unknown: Arc<Mutex<Vec<String>>>,
}

impl Double {
    fn start(pairs: Vec<Pair>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::<String>::new()));
        let unknown = Arc::new(Mutex::new(Vec::<String>::new()));
        let (all, odd) = (Arc::clone(&asked), Arc::clone(&unknown));
        std::thread::spawn(move || {
            let mut is_uploaded = false;
            for mut connection in listener.incoming().flatten() {
                let Some(bytes) = server::read_request(&mut connection) else { continue };
                let text = String::from_utf8_lossy(&bytes);
                let line = text.lines().next().unwrap_or_default().replace("/bigquery/v2/projects/p", "");
                all.lock().expect("not poisoned").push(line.clone());
                let mut fitting = pairs.iter().filter(|(begins, ..)| line.starts_with(begins));
                let first = fitting.next();
                let found = if is_uploaded { fitting.next().or(first) } else { first };
                is_uploaded |= line.starts_with("POST /upload/");
                let (status, body) = found.map_or((501, Value::Null), |(_, status, body)| (*status, body.clone()));
                if found.is_none() {
                    odd.lock().expect("not poisoned").push(line);
                }
                let body = body.to_string();
                let _ = write!(
                    connection,
                    "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Double { url, asked, unknown }
    }

    /// Loads one order with one line, which fails.
    fn fails(&self, location: &str) -> Error {
        let mut connection = Connection::new(format!("bigquery://p{location}?endpoint={}", self.url));
        connection.settings.insert("retry_deadline".into(), json!(2));
        let destination = longshore_destination_bigquery::open(&connection).expect("the settings are right");
        let package = PackageBuilder::new("refusals", "shop", 1).json("orders", r#"{"id":1}"#).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let error = runtime.block_on(load(&*destination, &package)).expect_err("it is refused");
        drop(destination);
        assert_eq!(self.unknown.lock().expect("not poisoned").clone(), Vec::<String>::new(), "nobody asks for that");
        error
    }

    fn times(&self, begins: &str) -> usize {
        self.asked.lock().expect("not poisoned").iter().filter(|l| l.starts_with(begins)).count()
    }
}

fn refusal(code: u16, reason: &str, message: &str) -> Value {
    let one = json!({"message": message, "domain": "global", "reason": reason});
    json!({"error": {"code": code, "message": message, "errors": [one], "status": "PERMISSION_DENIED"}})
}

fn dataset(location: &str) -> Value {
    json!({"kind": "bigquery#dataset", "location": location})
}

/// The answers on the way to the upload of a file.
fn until_upload(more: Vec<Pair>) -> Vec<Pair> {
    let missing = refusal(404, "notFound", "Not found: Job p:US.x");
    let mut pairs = vec![
        ("GET /datasets/shop HTTP", 200, dataset("US")),
        ("GET /datasets/shop_staging HTTP", 200, dataset("US")),
        ("POST /datasets/shop_staging/tables HTTP", 200, json!({"kind": "bigquery#table"})),
        ("DELETE /datasets/shop_staging/tables/", 204, Value::Null),
    ];
    pairs.extend(more);
    pairs.push(("GET /jobs/longshore_longshore_", 404, missing));
    pairs
}

#[test]
fn a_dataset_in_another_place_is_named_with_both() {
    let double = Double::start(vec![("GET /datasets/shop HTTP", 200, dataset("US"))]);
    let error = double.fails("/EU");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Config, "the dataset is in US, not in EU"));
    assert!(error.to_string().contains("shop"), "{error}");
}

#[test]
fn a_right_that_is_missing_names_the_role() {
    let denied = |permission: &str| {
        let message = format!("Access Denied: Project p: User does not have {permission} permission in project p.");
        (403, refusal(403, "accessDenied", &message))
    };
    let missing = refusal(404, "notFound", "Not found: Dataset p:shop");
    let (status, body) = denied("bigquery.datasets.create");
    let double = Double::start(vec![("GET /datasets/shop HTTP", 404, missing), ("POST /datasets HTTP", status, body)]);
    let error = double.fails("");
    assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.user ")), "{error:?}");
    let (status, body) = denied("bigquery.jobs.create");
    let double = Double::start(until_upload(vec![("POST /upload/", status, body)]));
    let error = double.fails("");
    assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.jobUser")), "{error:?}");
    assert_eq!(double.times("POST /upload/"), 1, "a missing right does not come by waiting");
}

#[test]
fn a_quota_is_waited_for_and_then_named() {
    for reason in ["quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded"] {
        let message = "Quota exceeded: Your table exceeded quota for imports or query appends per table.";
        let double = Double::start(until_upload(vec![("POST /upload/", 403, refusal(403, reason, message))]));
        let error = double.fails("");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.message().contains(reason) && error.to_string().contains("orders"), "{error}");
        assert!(error.hint_text().is_some_and(|h| h.contains("https://cloud.google.com/bigquery/quotas")), "{error:?}");
        assert!(double.times("POST /upload/") > 2, "it is tried again");
    }
}

#[test]
fn rows_that_do_not_fit_are_told_by_table_and_place_without_their_values() {
    let message = "Error while reading data, error message: Row 3: Field id: Bad value 'hush'";
    let status = json!({
        "state": "DONE",
        "errorResult": {"reason": "invalid", "message": "Error while reading data; see the errors collection"},
        "errors": [{"reason": "invalid", "location": "orders.parquet", "message": message}],
    });
    let done = json!({"kind": "bigquery#job", "status": status});
    let mut pairs = until_upload(vec![("POST /upload/", 200, json!({"status": {"state": "RUNNING"}}))]);
    pairs.push(("GET /jobs/longshore_longshore_", 200, done));
    let double = Double::start(pairs);
    let error = double.fails("");
    let text = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert_eq!(error.kind(), ErrorKind::Data, "{text}");
    assert!(text.contains("table orders") && text.contains("Row 3") && text.contains("Field id"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}
