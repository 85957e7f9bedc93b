//! Real servers, started for a test and stopped with it.

pub mod bigquery;
#[cfg(feature = "servers")]
pub mod http;
pub mod postgres;
#[cfg(feature = "servers")]
pub mod referral_hero;
