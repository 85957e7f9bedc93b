//! The commands of a project: `run`, `check`, `init`.

use super::{OnError, ProgressMode, SystemColumns, TurnArgs};
use crate::refresh::RefreshArgs;
use crate::schema_args::SchemaArgs;
use clap::Args;
use std::path::PathBuf;

/// What a flag leaves open is taken from `[pipeline]`, so no flag has a default here.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The project: its longshore.toml (.yaml, .json) or the folder with it [default: this folder]
    #[arg(value_name = "PROJECT")]
    pub(crate) project: Option<PathBuf>,

    /// Name that keeps packages and state together [default: the project's]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_PIPELINE")]
    pub(crate) pipeline: Option<String>,

    /// Where to: a kind (duckdb), a name of [destinations] or a URL; may be given several times
    #[arg(long, short, value_name = "NAME|URL", env = "LONGSHORE_DESTINATION")]
    pub(crate) destination: Vec<String>,

    /// Schema or folder the tables stand in [default: <pipeline>_dataset]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_DATASET")]
    pub(crate) dataset: Option<String>,

    /// Sources or resources to load, such as shop or users,orders [default: all that are selected]
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) select: Vec<String>,

    #[command(flatten)]
    pub(crate) refresh: RefreshArgs,

    /// Save the answers of APIs in a folder, secrets taken out
    #[arg(long, value_name = "DIR", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,

    /// Take the answers from a folder that --record made; no request leaves the machine
    #[arg(long, value_name = "DIR")]
    pub(crate) replay: Option<PathBuf>,

    /// Levels of nesting that become columns and tables; deeper ones stay JSON
    #[arg(long, value_name = "N")]
    pub(crate) max_nesting: Option<u32>,

    /// Names and form of the loader's own columns and tables
    #[arg(long, value_enum)]
    pub(crate) system_columns: Option<SystemColumns>,

    #[command(flatten)]
    pub(crate) schema: SchemaArgs,

    /// What to do with records that are not JSON
    #[arg(long, value_enum)]
    pub(crate) on_error: Option<OnError>,

    /// Threads to use, 1 to 1024 [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Memory to stay within, such as 256M or 1.5G, at least 32M
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,

    /// Loaded packages whose rows are kept, to be replayed to another destination
    #[arg(long, value_name = "N")]
    pub(crate) keep_packages: Option<usize>,

    #[command(flatten)]
    pub(crate) turn: TurnArgs,

    /// How to show progress
    #[arg(long, value_enum)]
    pub(crate) progress: Option<ProgressMode>,

    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The project: its longshore.toml (.yaml, .json) or the folder with it [default: this folder]
    #[arg(value_name = "PROJECT")]
    pub(crate) project: Option<PathBuf>,

    /// Ask every destination and every API once
    #[arg(long)]
    pub(crate) connect: bool,

    /// Print the problems as one JSON document
    #[arg(long)]
    pub(crate) json: bool,

    /// Print the JSON Schema of longshore.toml instead
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// What to load: files, rest_api, referral_hero, or openapi
    pub(crate) source: String,

    /// Where to, such as duckdb; for openapi first the document, then where to
    #[arg(value_name = "DESTINATION|SPEC")]
    pub(crate) destination: Option<String>,

    /// The folder [default: this folder]; for openapi where to
    #[arg(value_name = "DIR")]
    pub(crate) third: Option<String>,

    /// The folder, for openapi
    #[arg(value_name = "DIR", hide = true)]
    pub(crate) fourth: Option<String>,

    /// Write over files that are there
    #[arg(long)]
    pub(crate) force: bool,
}
