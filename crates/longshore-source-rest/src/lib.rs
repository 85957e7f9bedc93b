//! Any JSON API as a source, by declaration: dlt's `rest_api` configuration, resumable, never silently short.
//!
//! ```text
//! config ─▶ plan ─▶ run: a chain of pages for each resource and parent
//!                    request ─▶ client (auth, manners, retries) ─▶ doc ─▶ chain (select, paginate, transform)
//!                                                                          └─▶ journal ─▶ block ─▶ normaliser
//! ```
//!
//! * [`RestConfig::from_value`] reads and checks a configuration, all problems at once;
//! * [`RestSource`] is the source; its pages are in the journal before they are handed on, so that a run that was
//!   killed goes on where it was;
//! * the records' bytes are those of the response, unless a processing step changes them.

mod auth;
mod cassette;
mod chain;
mod client;
mod config;
mod depend;
mod doc;
mod incremental;
mod journal;
mod jq;
mod jsonpath;
mod manners;
mod out;
mod paginate;
mod plan;
mod redact;
mod request;
mod run;
mod select;
mod signs;
mod source;
mod steps;
mod template;
mod transform;
mod tree;

pub use config::{
    Action, AuthConfig, Bound, CastType, ClientConfig, ColumnConfig, Columns, Convert, CursorConfig, DispositionName,
    EndpointConfig, HashConfig, IncrementalConfig, KeyLocation, LastValue, NestedHints, OffsetConfig, OnLoop,
    OnMissing, OneOrMany, OneOrManyStatus, PageNumberConfig, PaginatorConfig, Problem, ResourceConfig, ResponseAction,
    RestConfig, RestSettings, RowOrder, Severity, StepConfig, StrategyName, TypeName, WriteDisposition, WriteTable,
    check, to_error,
};
pub use source::{Note, Notes, RestOptions, RestSource};
