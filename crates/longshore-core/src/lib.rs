//! Longshore's vocabulary and its normaliser.
//!
//! This crate does no I/O, reads no clock and no environment: bytes, settings and schemas come in,
//! rows and schemas go out. The flow, in the field's words:
//!
//! ```text
//! records of JSON bytes --json--> tape --normalize--> rows of every table (Arrow) + schema
//!     --package--> Manifest + parts --destination--> staged --> committed
//! ```
//!
//! * [`json`] reads a record's bytes into a flat tape;
//! * [`normalize`] turns tapes into rows of a root table and its child tables;
//! * [`naming`] and [`values`] are dlt's rules for names and for texts as values;
//! * [`source`] yields the blocks of bytes;
//! * [`schema`] is what a dataset looks like and how it grows;
//! * [`connect`] is what destinations are opened with, [`connect::Secret`] what is never printed;
//! * [`package`] is the sealed bundle between a source and its destinations;
//! * [`dlt`] is dlt's stored schema and state, so that both can go on with a dataset;
//! * [`lease`] keeps the runs of one pipeline apart;
//! * [`refresh`] is what goes before a load from scratch;
//! * [`answer`] is what the columns of a query's answer say of themselves;
//! * [`destination`] is the contract a destination keeps, [`memory`] its reference.

pub mod answer;
pub mod capabilities;
pub mod connect;
pub mod destination;
pub mod dlt;
pub mod error;
pub mod hash;
pub mod json;
pub mod lease;
pub mod memory;
pub mod misspelt;
pub mod naming;
pub mod normalize;
pub mod package;
pub mod refresh;
pub mod schema;
pub mod source;
pub mod values;

pub use error::{Error, ErrorKind, Result};
