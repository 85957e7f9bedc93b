//! Mock HTTP servers on loopback, real HTTP: for sources and end-to-end tests.

pub mod http;
pub mod referral_hero;
