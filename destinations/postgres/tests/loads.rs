//! What PostgreSQL does beyond the suite: loads at once, crashes, rights, its own types; looked at with psql.
#![allow(clippy::unwrap_used)] // in helpers of tests, too

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, StringArray};
use longshore_core::connect::Connection;
use longshore_core::destination::{CommitOutcome, Destination, Load};
use longshore_core::error::{ErrorKind, Result};
use longshore_core::schema::{DataType, Disposition, WriteRules};
use longshore_testkit::fixture::{self, Package, PackageBuilder};
use longshore_testkit::rows::Rows;
use longshore_testkit::servers::postgres::PostgresServer;
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// One server for all tests of this file; one of their own is stopped by the last of them.
fn server() -> Arc<PostgresServer> {
    static SERVER: OnceLock<std::sync::Mutex<std::sync::Weak<PostgresServer>>> = OnceLock::new();
    let mut server = SERVER.get_or_init(Default::default).lock().unwrap();
    server.upgrade().unwrap_or_else(|| {
        let started = Arc::new(PostgresServer::shared());
        *server = Arc::downgrade(&started);
        started
    })
}

fn open(url: &str) -> Arc<dyn Destination> {
    longshore_destination_postgres::open(&Connection::new(url)).unwrap()
}

fn orders(pipeline: &str, number: u64) -> Package {
    PackageBuilder::new(pipeline, "data", number)
        .json("orders", r#"{"id":1,"lines":[{"sku":"a"},{"sku":"b"}]} {"id":2}"#)
        .build()
}

async fn begin_and_stage(destination: &dyn Destination, package: &Package) -> Result<Box<dyn Load>> {
    let load = destination.begin(&package.opening()).await?;
    fixture::stage(&*load, package).await?;
    Ok(load)
}

/// As the pipeline does.
async fn load_with_retries(destination: &dyn Destination, package: &Package) -> Result<CommitOutcome> {
    for _ in 0..3 {
        match fixture::load(destination, package).await {
            Err(e) if e.is_retryable() => tokio::time::sleep(Duration::from_millis(200)).await,
            outcome => return outcome,
        }
    }
    fixture::load(destination, package).await
}

const STAGED: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = 'data_staging'";

#[tokio::test(flavor = "multi_thread")]
async fn two_loaders_that_change_one_dataset_at_once_lose_nothing() {
    let server = server();
    let database = server.new_database();
    let loader = |name: &'static str| {
        let url = server.url(&database);
        tokio::spawn(async move {
            let destination = open(&url);
            let mut earlier: Option<Package> = None;
            for number in 1..=50u64 {
                let builder = PackageBuilder::new(name, "data", number);
                let builder = earlier.as_ref().map_or(builder, |e| PackageBuilder::new(name, "data", number).after(e));
                // The same new columns and tables as the other's, and some of its own.
                let records = format!(
                    r#"{{"id":{number},"both_{number}":1,"{name}_{number}":true,"list_{}":[{{"of":"{name}"}}]}} {{"id":{number}}}"#,
                    number % 5
                );
                let package = builder.json("t", &records).json(&format!("t{}", number % 7), r#"{"x":1}"#).build();
                load_with_retries(&*destination, &package)
                    .await
                    .map_err(|e| format!("{e}: {:?}", std::error::Error::source(&e)))?;
                earlier = Some(package);
            }
            Ok::<_, String>(())
        })
    };
    let (one, two) = tokio::join!(loader("one"), loader("two"));
    one.unwrap().unwrap();
    two.unwrap().unwrap();
    let seen =
        server.psql(&database, "SELECT count(*), sum(id), count(both_7), count(one_7), count(two_50) FROM data.t");
    assert_eq!(seen, "200|5100|2|1|1");
    let lists = "SELECT count(*), count(*) FILTER (WHERE \"of\" = 'one') FROM (SELECT * FROM data.t__list_0 UNION ALL SELECT * FROM data.t__list_4) l";
    assert_eq!(server.psql(&database, lists), "40|20");
    assert_eq!(
        server.psql(&database, "SELECT pipeline, count(*) FROM data._loads GROUP BY 1 ORDER BY 1"),
        "one|50\ntwo|50"
    );
    assert_eq!(server.psql(&database, STAGED), "0");
}

/// Neither would see the rows that the other brings: there would be two rows of a key, and lists without their record.
#[tokio::test(flavor = "multi_thread")]
async fn loads_that_rewrite_one_table_at_once_go_one_after_the_other() {
    let server = server();
    let database = server.new_database();
    let package = |pipeline: &str, number, disposition, earlier: Option<&Package>| {
        let write = WriteRules { disposition, primary_key: vec!["id".to_owned()], ..WriteRules::default() };
        let builder = PackageBuilder::new(pipeline, "data", number);
        let builder = match earlier {
            Some(earlier) => builder.after(earlier),
            None => builder,
        };
        builder.writing(write).json("t", r#"{"id":1,"l":[{"n":1}]}"#).build()
    };
    let load = |package: Package| {
        let url = server.url(&database);
        async move { load_with_retries(&*open(&url), &package).await.map(drop) }
    };
    // From then on none of the loads changes tables: that would be a reason of its own to wait.
    let first = [("one", 1), ("two", 2)].map(|(name, number)| package(name, number, Disposition::Merge, None));
    for package in &first {
        load(package.clone()).await.unwrap();
    }
    for (number, disposition) in [(10, Disposition::Merge), (20, Disposition::Replace)] {
        // Both get as far as they can before the first of them may write.
        let (at, of) = (Arc::clone(&server), database.clone());
        let hold = "BEGIN; LOCK TABLE data.t IN SHARE MODE; SELECT pg_sleep(3); COMMIT";
        let holder = std::thread::spawn(move || at.psql(&of, hold));
        let held = "SELECT count(*) FROM pg_locks WHERE relation = 'data.t'::regclass AND mode = 'ShareLock'";
        while server.psql(&database, held) == "0" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let one = package("one", number, disposition, Some(&first[0]));
        let two = package("two", number + 1, disposition, Some(&first[1]));
        let (one, two) = tokio::join!(load(one), load(two));
        one.unwrap();
        two.unwrap();
        holder.join().unwrap();
        let rows = "SELECT (SELECT count(*) FROM data.t), (SELECT count(*) FROM data.t__l)";
        assert_eq!(server.psql(&database, rows), "1|1", "{disposition:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_package_loaded_twice_at_once_counts_once() {
    let server = server();
    let database = server.new_database();
    for number in 1..=10 {
        let package = orders("p", number);
        let (one, two) = (open(&server.url(&database)), open(&server.url(&database)));
        let (one, two) = tokio::join!(load_with_retries(&*one, &package), load_with_retries(&*two, &package));
        let already = [one.unwrap(), two.unwrap()].iter().filter(|o| **o == CommitOutcome::AlreadyCommitted).count();
        assert_eq!(already, 1);
    }
    assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), "20");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_dead_loads_left_is_removed_and_live_loads_keep_theirs() {
    let server = server();
    let database = server.new_database();
    fixture::load(&*open(&server.url(&database)), &orders("first", 1)).await.unwrap();
    // A process that is killed runs no destructor.
    let dead = open(&server.url(&database));
    std::mem::forget(begin_and_stage(&*dead, &orders("dead", 2)).await.unwrap());
    server.psql(&database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'longshore'");
    let live = open(&server.url(&database));
    let (package, other) = (orders("live", 3), orders("other", 4));
    let load = live.begin(&package.opening()).await.unwrap();
    let staged = fixture::stage(&*load, &package).await.unwrap();
    fixture::load(&*open(&server.url(&database)), &other).await.unwrap();
    // Two tables of the live load, none of the dead one's; unlogged, as their rows are copied once more.
    let kinds = "SELECT string_agg(relpersistence::text, '') FROM pg_class WHERE relnamespace = 'data_staging'::regnamespace AND relkind = 'r'";
    assert_eq!(server.psql(&database, kinds), "uu");
    load.commit(&package.manifest, &staged).await.unwrap();
    assert_eq!(server.psql(&database, STAGED), "0");
    assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), "6");
    std::mem::forget(dead); // its load's connections are on its threads
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_sessions_and_a_killed_server_cost_a_retry_at_most() {
    let mut server = PostgresServer::start(&[]);
    let database = server.new_database();
    let destination = open(&server.url(&database));
    let end_sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'longshore'";
    for (number, dies) in [(1, false), (2, false), (3, true), (4, true)] {
        let package = orders("p", number);
        let load = destination.begin(&package.opening()).await.unwrap();
        let staged = fixture::stage(&*load, &package).await.unwrap();
        if dies {
            server.kill();
            server.resume();
        } else {
            server.psql(&database, end_sessions);
        }
        if let Err(e) = load.commit(&package.manifest, &staged).await {
            assert!(e.is_retryable(), "{e} {:?}", std::error::Error::source(&e));
            load_with_retries(&*destination, &package).await.unwrap();
        }
        assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), (2 * number).to_string());
    }
    server.kill();
    let error = destination.tables("data").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

/// A trigger that fails the first so many times, as sessions of their own count in a sequence.
fn fail_inserts(server: &PostgresServer, database: &str, code: &str, times: u32) {
    server.psql(
        database,
        &format!(
            "CREATE SEQUENCE IF NOT EXISTS public.fails; SELECT setval('public.fails', 1, false); \
             CREATE OR REPLACE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF nextval('public.fails') <= {times} THEN RAISE EXCEPTION 'hush' USING ERRCODE = '{code}'; END IF; RETURN NULL; END $$; \
             DROP TRIGGER IF EXISTS fail ON data.orders; \
             CREATE TRIGGER fail AFTER INSERT ON data.orders FOR EACH STATEMENT EXECUTE FUNCTION public.fail()"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_tried_again_and_what_may_not_is_explained() {
    let server = server();
    let database = server.new_database();
    let destination = open(&server.url(&database));
    fixture::load(&*destination, &orders("p", 1)).await.unwrap();
    for (number, code) in [(2, "40P01"), (3, "40001"), (4, "55P03"), (5, "57014")] {
        fail_inserts(&server, &database, code, 2);
        fixture::load(&*destination, &orders("p", number)).await.unwrap_or_else(|e| panic!("{code}: {e}"));
    }
    for (code, kind, says) in [
        ("53100", ErrorKind::Destination, "disk is full"),
        ("22003", ErrorKind::Data, "cannot store a value"),
        ("23514", ErrorKind::Data, "constraint"),
    ] {
        fail_inserts(&server, &database, code, 1000);
        let error = fixture::load(&*destination, &orders("p", 9)).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(says), "{code}: {error}");
        assert!(error.to_string().contains("table orders") && error.hint_text().is_some(), "{code}: {error}");
    }
    server.psql(&database, "DROP TRIGGER fail ON data.orders");
    assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), "10");
    assert_eq!(server.psql(&database, STAGED), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_are_named_with_the_role_before_anything_is_read() {
    let server = server();
    let database = server.new_database();
    server.psql(&database, "CREATE ROLE weak LOGIN; CREATE SCHEMA data; CREATE SCHEMA data_staging");
    let url = server.url(&database).replace("postgres@", "weak@");
    let refused = async |url: &str, role: &str, parts: &[&str]| {
        let error = open(url).begin(&orders("p", 1).opening()).await.map(drop).unwrap_err();
        let text = format!("{error} {}", error.hint_text().unwrap_or_default());
        assert!(error.kind() == ErrorKind::Destination && text.contains(role), "{text}");
        parts.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
        error.hint_text().unwrap_or_default().to_owned()
    };
    // Both schemas at once, and what is said is all that is needed.
    let staging = "GRANT USAGE, CREATE ON SCHEMA \"data_staging\" TO \"weak\";";
    let hint = refused(&url, "weak", &["GRANT USAGE, CREATE ON SCHEMA \"data\" TO \"weak\";", staging]).await;
    server.psql(&database, hint.trim_start_matches("let an administrator run: "));
    fixture::load(&*open(&url), &orders("p", 1)).await.unwrap();
    // A role that only reads, and one that may not write to a table.
    server.psql(&database, "CREATE ROLE reader LOGIN; ALTER ROLE reader SET default_transaction_read_only = on");
    refused(&url.replace("weak@", "reader@"), "reader", &["only reads"]).await;
    server.psql(&database, "CREATE ROLE other LOGIN; GRANT ALL ON SCHEMA data, data_staging TO other");
    let error = fixture::load(&*open(&url.replace("weak@", "other@")), &orders("p", 2)).await.unwrap_err();
    assert!(error.to_string().contains("role other") && error.hint_text().is_some(), "{error}");
    assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), "2");
    let of_other = url.replace("weak@", "other@");
    let hint = refused(&of_other, "other", &["ON TABLE \"data\".\"orders\"", "\"data\".\"_loads\""]).await;
    server.psql(&database, hint.trim_start_matches("let an administrator run: "));
    fixture::load(&*open(&of_other), &orders("p", 3)).await.unwrap();
    // New columns need an owner: said when the load begins, as far as they are known.
    let wider = PackageBuilder::new("p", "data", 4).json("orders", r#"{"id":9,"fresh":1}"#).build();
    let error = open(&of_other).begin(&wider.opening()).await.map(drop).unwrap_err();
    assert!(error.hint_text().unwrap_or_default().contains("ALTER TABLE \"data\".\"orders\" OWNER TO"), "{error}");
    // What earlier loads left cannot be read either.
    server.psql(&database, "CREATE ROLE stranger LOGIN");
    let target = &orders("p", 1).manifest.target;
    let error = open(&url.replace("weak@", "stranger@")).last_committed(target).await.unwrap_err();
    let hint = error.hint_text().unwrap_or_default();
    assert!(hint.contains("GRANT USAGE, CREATE ON SCHEMA \"data\""), "{error}");
    for table in ["orders", "orders__lines"] {
        assert!(hint.contains(&format!("GRANT INSERT ON TABLE \"data\".\"{table}\"")), "{hint}");
    }
    let error = open(&url.replace("weak@", "nobody_at_all@")).tables("data").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Destination && error.to_string().contains("login"), "{error}");
}

/// Tables that nobody knew of before their rows came are named together too.
#[tokio::test(flavor = "multi_thread")]
async fn missing_rights_on_child_tables_are_named_with_those_on_their_root() {
    let server = server();
    let database = server.new_database();
    fixture::load(&*open(&server.url(&database)), &orders("p", 1)).await.unwrap();
    server.psql(&database, "CREATE ROLE fresh LOGIN; GRANT ALL ON SCHEMA data, data_staging TO fresh; GRANT SELECT, INSERT ON data._loads, data._schemas, data._state TO fresh");
    let package = orders("q", 2);
    let mut opening = package.opening();
    let destination = open(&server.url(&database).replace("postgres@", "fresh@"));
    opening.tables.retain(|table| table.name == "orders");
    let error = destination.begin(&opening).await.map(drop).unwrap_err();
    assert!(error.hint_text().is_some_and(|h| h.contains("INSERT ON TABLE \"data\".\"orders__lines\"")), "{error:?}");
    opening.tables.clear();
    let load = destination.begin(&opening).await.unwrap();
    let staged = fixture::stage(&*load, &package).await.unwrap();
    let error = load.commit(&package.manifest, &staged).await.unwrap_err();
    let hint = error.hint_text().unwrap_or_default().to_owned();
    for table in ["orders", "orders__lines"] {
        assert!(hint.contains(&format!("GRANT INSERT ON TABLE \"data\".\"{table}\" TO \"fresh\"")), "{error}: {hint}");
    }
    server.psql(&database, hint.trim_start_matches("let an administrator run: "));
    fixture::load(&*destination, &package).await.unwrap();
}

/// A server that restarts is waited for; one that stays away is not waited for long.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_moment_is_waited_for() {
    let mut server = PostgresServer::start(&[]);
    let destination = open(&server.url("postgres"));
    server.kill();
    let back = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        server.resume();
        server
    });
    destination.tables("data").await.unwrap();
    back.join().unwrap().kill();
    let began = std::time::Instant::now();
    let error = destination.tables("data").await.unwrap_err();
    assert!(error.is_retryable() && began.elapsed() < Duration::from_secs(5), "{error} {:?}", began.elapsed());
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn new_tables_have_the_rights_their_schema_gives_by_default_and_are_logged() {
    let server = server();
    let database = server.new_database();
    server.psql(&database, "CREATE ROLE analyst; CREATE SCHEMA data; ALTER DEFAULT PRIVILEGES IN SCHEMA data GRANT SELECT ON TABLES TO analyst");
    fixture::load(&*open(&server.socket_url(&database)), &orders("p", 1)).await.unwrap();
    let rights = "SELECT count(*), count(*) FILTER (WHERE has_table_privilege('analyst', c.oid, 'SELECT')), string_agg(DISTINCT relpersistence::text, '') FROM pg_class c WHERE relnamespace = 'data'::regnamespace AND relkind = 'r'";
    assert_eq!(server.psql(&database, rights), "5|5|p");
}

#[tokio::test(flavor = "multi_thread")]
async fn dlt_tables_have_dlts_columns_and_types() {
    let server = server();
    let database = server.new_database();
    let package = PackageBuilder::new("p", "data", 1)
        .dlt()
        .json("orders", r#"{"id":1,"lines":[1]}"#)
        .state(json!({"a": 1}))
        .build();
    fixture::load(&*open(&server.url(&database)), &package).await.unwrap();
    let columns = |table: &str| {
        server.psql(&database, &format!("SELECT string_agg(column_name || ' ' || data_type || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END, ', ' ORDER BY ordinal_position) FROM information_schema.columns WHERE table_name = '{table}'"))
    };
    assert_eq!(
        columns("_dlt_loads"),
        "load_id text!, schema_name text, status bigint!, inserted_at timestamp with time zone!, schema_version_hash text"
    );
    assert_eq!(
        columns("_dlt_version"),
        "version bigint!, engine_version bigint!, inserted_at timestamp with time zone!, schema_name text!, version_hash text!, schema text!"
    );
    assert_eq!(
        columns("_dlt_pipeline_state"),
        "version bigint!, engine_version bigint!, pipeline_name text!, state text!, created_at timestamp with time zone!, version_hash text, _dlt_load_id text!, _dlt_id text!"
    );
    assert_eq!(
        server.psql(
            &database,
            "SELECT count(*) FROM data._dlt_loads l JOIN data.orders o ON o._dlt_load_id = l.load_id WHERE l.status = 0"
        ),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_have_no_place_in_postgres_do_not_cost_the_row() {
    let server = server();
    let database = server.new_database();
    let shared = |a: &[&str]| -> ArrayRef { Arc::new(StringArray::from(a.to_vec())) };
    let columns: Vec<(&str, DataType, ArrayRef)> = vec![
        ("t", DataType::Text, shared(&["a\0b", "\0", "c"])),
        ("j", DataType::Json, shared(&[r#"{"k\u0000":"\u0000"}"#, r#""\ud800""#, r#""\u00e9""#])),
        ("d", DataType::Double, Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]))),
    ];
    let package = PackageBuilder::new("p", "data", 1).arrays("v", columns).build();
    fixture::load(&*open(&server.url(&database)), &package).await.unwrap();
    assert_eq!(
        server.psql(&database, "SELECT t, j, d FROM data.v ORDER BY d"),
        "c|\"é\"|-Infinity\n\\u0000|\"\u{fffd}\"|Infinity\na\\u0000b|{\"k\\\\u0000\": \"\\\\u0000\"}|NaN"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_go_into_tables_that_others_made() {
    let server = server();
    let database = server.new_database();
    server.psql(
        &database,
        "CREATE SCHEMA data; CREATE TABLE data.orders (note varchar(9) DEFAULT 'x', id integer NOT NULL, other int[])",
    );
    let destination = open(&server.url(&database));
    fixture::load(&*destination, &orders("p", 1)).await.unwrap();
    assert_eq!(server.psql(&database, "SELECT note, id FROM data.orders ORDER BY id"), "x|1\nx|2");
    // A view that stands where a table would: refused, and said so.
    server.psql(&database, "CREATE VIEW data.seen AS SELECT count(*) AS id FROM data.orders");
    let package = PackageBuilder::new("p", "data", 3).json("seen", r#"{"id":1}"#).build();
    let error = fixture::load(&*destination, &package).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Destination && error.to_string().contains("table seen"), "{error}");
    // A value that the other's type cannot hold: the load is refused, named, and not shown.
    let package = PackageBuilder::new("p", "data", 2).json("orders", r#"{"id":98765432101}"#).build();
    let error = fixture::load(&*destination, &package).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Data && error.to_string().contains("orders"), "{error}");
    let chain = format!("{error} {:?} {:?}", std::error::Error::source(&error), error.hint_text());
    assert!(!chain.contains("98765432101"), "{chain}");
}

/// What is no table and has a table's name is no other session's doing, and is named at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_and_not_waited_for() {
    let server = server();
    let database = server.new_database();
    let destination = open(&server.url(&database));
    let refused = async || {
        let began = std::time::Instant::now();
        let error = fixture::load(&*destination, &orders("p", 1)).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3) && error.kind() == ErrorKind::Destination, "{error}");
        format!("{error} {}", error.hint_text().unwrap_or_default())
    };
    server.psql(&database, "CREATE SCHEMA data");
    for (kind, make, gone) in [
        ("sequence", "SEQUENCE data.orders", "SEQUENCE data.orders"),
        ("materialized view", "MATERIALIZED VIEW data.orders AS SELECT 1 AS id", "MATERIALIZED VIEW data.orders"),
        ("view", "VIEW data.orders AS SELECT count(*) AS id FROM pg_class", "VIEW data.orders"),
        (
            "view",
            "TABLE data.base (id bigint); CREATE VIEW data.orders AS SELECT id FROM data.base",
            "VIEW data.orders",
        ),
        ("type", "TYPE data.orders__lines AS (x integer)", "TYPE data.orders__lines"),
        ("type", "TYPE data.orders AS ENUM ('x')", "TYPE data.orders"),
    ] {
        server.psql(&database, &format!("CREATE {make}"));
        let text = refused().await;
        assert!(text.contains(&format!("a {kind} has the name of the table")), "{kind}: {text}");
        assert!(text.contains(&format!("ALTER {} ", kind.to_uppercase())) && text.contains("dataset data"), "{text}");
        server.psql(&database, &format!("DROP {gone}"));
    }
    // Also where the table comes to be known with its first rows only.
    server.psql(&database, "CREATE SEQUENCE data.orders__lines");
    let mut opening = orders("p", 1).opening();
    opening.tables.clear();
    let load = destination.begin(&opening).await.unwrap();
    let error = fixture::stage(&*load, &orders("p", 1)).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("a sequence has the name of the table"), "{error}");
    load.abort().await.unwrap();
    server.psql(&database, "DROP SEQUENCE data.orders__lines");
    // A column that takes no values of the load's is named with its type, before rows are sent.
    server.psql(&database, "CREATE TABLE data.orders (id uuid)");
    let load = destination.begin(&orders("p", 1).opening()).await.unwrap();
    let error = fixture::stage(&*load, &orders("p", 1)).await.map(drop).unwrap_err();
    let text = format!("{error} {}", error.hint_text().unwrap_or_default());
    assert!(text.contains("column id") && text.contains("type uuid") && text.contains("TYPE bigint"), "{text}");
    load.abort().await.unwrap();
    server.psql(&database, "DROP TABLE data.orders");
    fixture::load(&*destination, &orders("p", 1)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_answered_in_arrows_types_or_as_text() {
    let server = server();
    let database = server.new_database();
    let destination = open(&server.url(&database));
    fixture::load(&*destination, &orders("p", 1)).await.unwrap();
    let sql = "SELECT id, 1.50::numeric AS n, sum(id) OVER () AS s, now() > '2020-01-01' AS b, '2024-02-29'::date AS d, \
        '0044-03-15 10:00:00+00 BC'::timestamptz AS c, 'infinity'::timestamptz AS i, ARRAY[1,2] AS a, '1 day'::interval AS v, \
        '\\x00ff'::bytea AS y, '{\"a\":1}'::jsonb AS j, 'NaN'::float8 AS f, NULL::uuid AS u, 3::smallint AS two, '24:00'::time AS t \
        FROM orders ORDER BY id";
    let batches = destination.query("data", sql).await.unwrap();
    let types: Vec<String> = batches[0].schema().fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(
        types.join(" "),
        "Int64 Decimal128(38, 2) Decimal128(38, 0) Boolean Date32 Timestamp(µs, \"UTC\") Utf8 Utf8 Utf8 Binary Utf8 Float64 Utf8 Int16 Time64(µs)"
    );
    assert_eq!((batches[0].column(7).as_string::<i32>().value(0), batches[0].column(12).null_count()), ("{1,2}", 2));
    let shown = Rows::from_batches(&batches).unwrap();
    assert_eq!(shown.column("s"), [json!("3"), json!("3")]);
    assert_eq!(shown.column("n")[0], json!("1.5"));
    let batches = destination.query("data", "SHOW server_version_num").await.unwrap();
    assert_eq!(batches[0].num_rows(), 1);
    // Nothing gets out of the transaction that only reads.
    for sql in ["COMMIT; DROP TABLE orders", "WITH d AS (DELETE FROM orders RETURNING id) SELECT * FROM d"] {
        let error = destination.query("data", sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Destination, "{sql}: {error}");
    }
    assert_eq!(server.psql(&database, "SELECT count(*) FROM data.orders"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_kind_and_datasets_of_any_length_work() {
    let server = server();
    let database = server.new_database();
    let dataset = format!("My \"data\" {}", "ü".repeat(26));
    let package = PackageBuilder::new("it's", &dataset, 1).json("Select", r#"{"id":1}"#).build();
    let destination = open(&server.url(&database));
    fixture::load(&*destination, &package).await.unwrap();
    assert!(destination.is_committed(&package.manifest.target, &package.manifest.load_id).await.unwrap());
    let table = &package.manifest.schema.tables[0].name;
    assert_eq!(destination.tables(&dataset).await.unwrap().iter().find(|t| t.table == *table).map(|t| t.rows), Some(1));
    let too_long = PackageBuilder::new("p", &"d".repeat(64), 1).json("t", r#"{"id":1}"#).build();
    assert_eq!(fixture::load(&*destination, &too_long).await.unwrap_err().kind(), ErrorKind::Data);
}
