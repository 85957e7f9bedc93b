//! The ReferralHero example as it stands in the repository, run by the command against a mock of that API: real HTTP,
//! its token, its limits and its errors.

use longshore_testkit::servers::http::Server;
use longshore_testkit::servers::referral_hero::{self, Options, TOKEN};
use longshore_tests::{Lab, Output, rows_in};
use serde_json::json;
use std::path::Path;
use std::process::Command;

const TABLES: [(&str, u64); 10] = [
    ("coupon_groups", 2),
    ("coupons", 4),
    ("list_rewards", 4),
    ("lists", 2),
    ("rewards", 6),
    ("subscriber", 50),
    ("subscriber_by_email", 50),
    ("subscriber_referred", 48),
    ("subscriber_rewards", 26),
    ("subscribers", 50),
];

/// The command in the lab, with the example's file, the mock's address and a token.
fn command(lab: &Lab, server: &Server, args: &[&str]) -> Command {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/referral_hero/longshore.toml");
    let project = lab.write("longshore.toml", std::fs::read(example).expect("the example is there"));
    let mut command = lab.command(&[&["run"], args].concat());
    command.arg(project.parent().expect("a folder"));
    command.env("LONGSHORE_SOURCES__REFERRAL_HERO_SOURCE__CLIENT__BASE_URL", format!("{}/api/v2/", server.url));
    command.env("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", TOKEN);
    command
}

fn loaded(lab: &Lab) -> Vec<(String, u64)> {
    let count = |(name, _): &(&str, u64)| {
        let sql = format!("SELECT count(*) FROM referral_hero_data.{name}");
        ((*name).to_owned(), rows_in(&lab.database(), "referral_hero_data", &sql)[0][0].as_u64().unwrap_or_default())
    };
    TABLES.iter().map(count).collect()
}

fn expected() -> Vec<(String, u64)> {
    TABLES.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
}

#[test]
fn all_resources_are_loaded_and_can_be_queried() {
    let (lab, server) = (Lab::new(), referral_hero::start(Options { fail_every: 23, ..Options::default() }));
    let output = Output::of(command(&lab, &server, &[]));
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(loaded(&lab), expected());
    let last = output.stdout.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("Load package ") && last.ends_with(" is LOADED and contains no failed jobs"),
        "{output:#?}"
    );
    assert!(output.stdout.contains("into dataset referral_hero_data"), "{output:#?}");
    assert!(!output.stdout.contains(TOKEN) && !output.stderr.contains(TOKEN), "the token was printed");

    let sql = "SELECT * FROM referral_hero_data.subscribers LIMIT 10";
    let rows = lab.run(&["query", "--pipeline", "referral_hero", sql, "--format", "json"]);
    assert_eq!((rows.status, rows.stdout.lines().count()), (Some(0), 10), "{rows:#?}");

    // The example replaces: once more, and nothing is doubled.
    assert_eq!(Output::of(command(&lab, &server, &[])).status, Some(0));
    assert_eq!(loaded(&lab), expected());
}

#[test]
fn a_subscriber_that_is_deleted_meanwhile_is_left_out() {
    let (lab, server) = (Lab::new(), referral_hero::start(Options { gone: 3, ..Options::default() }));
    let output = Output::of(command(&lab, &server, &[]));
    assert_eq!(output.status, Some(0), "{output:#?}");
    let rows = loaded(&lab);
    let of = |table: &str| rows.iter().find(|(name, _)| name == table).map(|(_, rows)| *rows);
    assert_eq!((of("subscribers"), of("subscriber"), of("subscriber_by_email")), (Some(50), Some(48), Some(48)));
}

#[test]
fn a_run_that_broke_off_goes_on_where_it_was() {
    let (lab, server) = (Lab::new(), referral_hero::start(Options::default()));
    let undisturbed = {
        let (lab, server) = (Lab::new(), referral_hero::start(Options::default()));
        assert_eq!(Output::of(command(&lab, &server, &[])).status, Some(0));
        server.requests().len()
    };
    let mut child = command(&lab, &server, &[]).spawn().expect("the binary starts");
    while server.requests().len() < undisturbed / 2 && child.try_wait().expect("a child").is_none() {
        std::thread::yield_now();
    }
    let _ = child.kill(); // it may be over already, which the request count would show
    child.wait().expect("it ends");
    let output = Output::of(command(&lab, &server, &["--json"]));
    assert_eq!(output.status, Some(0), "{output:#?}");
    assert_eq!(loaded(&lab), expected());
    assert_eq!(rows_in(&lab.database(), "referral_hero_data", "SELECT count(*) FROM _loads")[0][0], json!(1));
    let asked = server.requests().len();
    assert!(asked <= undisturbed + 16, "{asked} requests instead of {undisturbed}: pages were fetched again");
}

#[test]
fn a_wrong_token_says_which_authentication_was_refused() {
    let (lab, server) = (Lab::new(), referral_hero::start(Options::default()));
    let mut wrong = command(&lab, &server, &[]);
    wrong.env("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN", "not-the-token");
    let output = Output::of(wrong);
    assert_eq!(output.status, Some(1), "{output:#?}");
    assert!(output.stderr.contains("bearer") && !output.stderr.contains("not-the-token"), "{output:#?}");

    let mut missing = command(&lab, &server, &[]);
    missing.env_remove("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN");
    let output = Output::of(missing);
    assert_eq!(output.status, Some(2), "{output:#?}");
    assert!(output.stderr.contains("SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN"), "{output:#?}");
    assert!(output.stderr.contains("secrets.toml"), "{output:#?}");
}
