//! What no emulator refuses: rights, quotas, locations, rows that do not fit. A strict double answers as the API's documentation
//! says (https://cloud.google.com/bigquery/docs/error-messages).

#[allow(dead_code)] // the other tests use the rest
mod server;

use longshore_core::connect::Connection;
use longshore_core::error::{Error, ErrorKind};
use longshore_testkit::fixture::{PackageBuilder, load};
use serde_json::{Value, json};
use server::double::{Double, Pair};

/// Loads one order with one line, which fails.
fn fails(double: &Double, location: &str) -> Error {
    fails_with(double, location, &[])
}

fn fails_with(double: &Double, location: &str, settings: &[(&str, &str)]) -> Error {
    let mut connection = Connection::new(format!("bigquery://p{location}?endpoint={}", double.url));
    connection.settings.insert("retry_deadline".into(), json!(2));
    connection.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
    let destination = longshore_destination_bigquery::open(&connection).expect("the settings are right");
    let package = PackageBuilder::new("refusals", "shop", 1).json("orders", r#"{"id":1}"#).build();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(load(&*destination, &package)).expect_err("it is refused");
    drop(destination);
    double.knew_all();
    error
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
    let error = fails(&double, "/EU");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Config, "the dataset is in US, not in EU"));
    assert!(error.to_string().contains("shop"), "{error}");
    let double = Double::start(vec![
        ("GET /datasets/shop HTTP", 200, dataset("US")),
        ("GET /datasets/shop_staging HTTP", 200, dataset("EU")),
    ]);
    let error = fails(&double, "");
    assert_eq!(error.message(), "the staging dataset is in EU, not in US");
    assert!(error.hint_text().is_some_and(|h| h.contains("staging_dataset")), "{error:?}");
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
    let error = fails(&double, "");
    assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.user ")), "{error:?}");
    let (status, body) = denied("bigquery.jobs.create");
    let double = Double::start(until_upload(vec![("POST /upload/", status, body)]));
    let error = fails(&double, "");
    assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.jobUser")), "{error:?}");
    assert_eq!(double.times("POST /upload/"), 1, "a missing right does not come by waiting");
}

#[test]
fn what_the_bucket_lacks_is_said_of_the_bucket() {
    for (status, reason, text, hint) in [
        (403, "forbidden", "a right is missing in Cloud Storage", "roles/storage.objectAdmin on the bucket"),
        (404, "notFound", "there is no such bucket", "make the bucket"),
    ] {
        let double = Double::start(vec![
            ("GET /datasets/shop HTTP", 200, dataset("US")),
            ("GET /datasets/shop_staging HTTP", 200, dataset("US")),
            ("POST /upload/storage/v1/b/bkt/o?", status, refusal(status, reason, "as ordered")),
        ]);
        let settings = [("staging_bucket", "gs://bkt"), ("storage_endpoint", double.url.as_str())];
        let error = fails_with(&double, "", &settings);
        assert!(error.message() == text && error.to_string().contains("bucket bkt"), "{error}");
        assert!(error.hint_text().is_some_and(|h| h.contains(hint)), "{error:?}");
    }
}

#[test]
fn a_quota_is_waited_for_and_then_named() {
    for reason in ["quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded"] {
        let message = "Quota exceeded: Your table exceeded quota for imports or query appends per table.";
        let double = Double::start(until_upload(vec![("POST /upload/", 403, refusal(403, reason, message))]));
        let error = fails(&double, "");
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
    let error = fails(&double, "");
    let text = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
    assert_eq!(error.kind(), ErrorKind::Data, "{text}");
    assert!(text.contains("job p:US.longshore_longshore_"), "{text}");
    assert!(text.contains("table orders") && text.contains("Row 3") && text.contains("Field id"), "{text}");
    assert!(!text.contains("hush"), "{text}");
}
