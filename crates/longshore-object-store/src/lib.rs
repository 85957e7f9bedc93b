//! Object stores by URL: S3, Google Cloud Storage, Azure.
//!
//! Their settings have dlt's names or those of the crate `object_store`; what they leave open comes from the
//! environment, profiles and the clouds' own defaults. The environment is given, never read.
#![forbid(unsafe_code)]

mod bucket;
mod cloud;
mod credentials;
mod error;
mod http;
mod listing;

pub use bucket::{Bucket, requests};
pub use cloud::Cloud;
pub use error::{Action, from_store};
pub use listing::Unreadable;
