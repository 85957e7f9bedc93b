//! The example's own configuration against a mock of ReferralHero: authentication, limits and errors enforced.

mod common;

use common::{How, Loaded, run};
use longshore_source_rest::RestOptions;
use longshore_testkit::servers::referral_hero::{self, Options, TOKEN};
use serde_json::{Value, json};

/// The example's source, with the mock's address and a token.
fn config(url: &str, token: &str) -> Value {
    let text = include_str!("../../../examples/referral_hero/longshore.toml");
    let whole: Value = toml::from_str(text).expect("the example is TOML");
    let mut source = whole["sources"]["referral_hero_source"].clone();
    source["client"]["base_url"] = format!("{url}/api/v2/").into();
    source["client"]["auth"]["token"] = token.into();
    source["client"]["backoff_factor"] = json!(0.001);
    source
}

fn counts(loaded: &Loaded) -> Vec<(&str, usize)> {
    loaded.records.iter().map(|(name, records)| (name.as_str(), records.len())).collect()
}

#[test]
fn all_ten_resources_are_loaded_under_limits_and_errors() {
    let server = referral_hero::start(Options { calls: 40, fail_every: 17, ..Options::default() });
    let loaded = run(&config(&server.url, TOKEN), &How::default()).unwrap_or_else(|e| panic!("{e}"));
    let referred: u64 = (1..=25u64).map(|n| (n + n % 3).min(25) - n).sum::<u64>() * 2;
    assert_eq!(
        counts(&loaded),
        [
            ("coupon_groups", 2),
            ("coupons", 4),
            ("list_rewards", 4),
            ("lists", 2),
            ("rewards", 6),
            ("subscriber", 50),
            ("subscriber_by_email", 50),
            ("subscriber_referred", referred as usize),
            ("subscriber_rewards", 26),
            ("subscribers", 50),
        ]
    );
    let subscriber = &loaded.of("subscribers")[0];
    assert!(subscriber["_lists_uuid"].as_str().is_some_and(|u| u.starts_with("MF")), "{subscriber}");
    assert!(server.asked().iter().all(|a| !a.contains("track_transaction")), "what writes is off");
}

#[test]
fn what_writes_runs_when_it_is_selected() {
    let server = referral_hero::start(Options { lists: 1, subscribers: 3, ..Options::default() });
    let options = RestOptions { select: Some(vec!["track_transactions".into()]), ..RestOptions::default() };
    let loaded = run(&config(&server.url, TOKEN), &How { options, ..How::default() }).unwrap();
    assert_eq!(counts(&loaded), [("track_transactions", 3)]);
    let posts: Vec<Value> = server
        .requests()
        .iter()
        .filter(|r| r.method == "POST")
        .map(|r| serde_json::from_slice(&r.body).unwrap())
        .collect();
    // Subscribers are asked for side by side.
    assert!(posts.contains(&json!({ "email": "s1@list1.example", "amount": 0, "transaction_id": "1-1" })));
}

#[test]
fn wrong_and_missing_tokens_are_told_apart() {
    let server = referral_hero::start(Options::default());
    let refused = run(&config(&server.url, "wrong-token"), &How::default()).unwrap_err();
    assert!(refused.to_string().contains("403") && refused.to_string().contains("invalid_token"), "{refused}");
    assert!(
        refused.to_string().contains("a bearer token") && !refused.to_string().contains("wrong-token"),
        "{refused}"
    );
    let mut without = config(&server.url, "");
    without["client"].as_object_mut().unwrap().remove("auth");
    let refused = run(&without, &How::default()).unwrap_err();
    assert!(refused.to_string().contains("no_token") && refused.to_string().contains("no authentication"), "{refused}");
}

#[test]
fn a_recording_plays_without_the_network_and_holds_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let server = referral_hero::start(Options { subscribers: 5, ..Options::default() });
    let at = |record: bool| RestOptions {
        record: record.then(|| folder.path().to_owned()),
        replay: (!record).then(|| folder.path().to_owned()),
        ..RestOptions::default()
    };
    let config = config(&server.url, TOKEN);
    let live = run(&config, &How { options: at(true), ..How::default() }).unwrap();
    let asked = server.requests().len();
    let played = run(&config, &How { options: at(false), ..How::default() }).unwrap();
    assert_eq!(counts(&live), counts(&played));
    assert_eq!(server.requests().len(), asked, "the network was asked");
    for file in std::fs::read_dir(folder.path()).unwrap() {
        assert!(!std::fs::read_to_string(file.unwrap().path()).unwrap().contains(TOKEN));
    }
    let mut other = config;
    other["resources"][0]["endpoint"]["params"]["per_page"] = json!(7);
    let unknown = run(&other, &How { options: at(false), ..How::default() }).unwrap_err();
    assert!(unknown.message().contains("no answer to this request"), "{unknown}");
}
