//! Real servers, started for a test and stopped with it.

pub mod postgres;
