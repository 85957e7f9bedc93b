//! A server that behaves like ReferralHero's API, until its standard input ends: for trying examples/referral_hero without an account.

use longshore_testkit::servers::referral_hero::{Options, TOKEN, start};

fn main() -> std::io::Result<()> {
    let server = start(Options { subscribers: 250, ..Options::default() });
    println!("export LONGSHORE_SOURCES__REFERRAL_HERO_SOURCE__CLIENT__BASE_URL={}/api/v2/", server.url);
    println!("export SOURCES__REFERRAL_HERO_SOURCE__API_TOKEN={TOKEN}");
    println!("# Set these in another shell, then: longshore run examples/referral_hero. Ctrl-D ends the server.");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).map(drop)
}
