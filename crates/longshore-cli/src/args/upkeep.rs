//! `pipeline NAME drop` and `sync`.

use super::{TurnArgs, WhereArgs};
use clap::Args;

/// Where the pipeline loads to.
#[derive(Debug, Clone, Args)]
pub(crate) struct AtArgs {
    #[command(flatten)]
    pub(crate) place: WhereArgs,

    #[command(flatten)]
    pub(crate) turn: TurnArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DropArgs {
    /// Resources: names of root tables, or re:EXPRESSION for all whose names begin with a match
    #[arg(value_name = "RESOURCE")]
    pub(crate) resources: Vec<String>,

    /// All resources of the pipeline
    #[arg(long, alias = "drop-all", conflicts_with = "resources")]
    pub(crate) all: bool,

    /// Also parts of the state, such as resources.orders.incremental or 'sources.shop.*'
    #[arg(long, value_name = "PATH,..", value_delimiter = ',')]
    pub(crate) state_paths: Vec<String>,

    /// Forget the state only; tables and rows stay
    #[arg(long)]
    pub(crate) state_only: bool,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) at: AtArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    /// Also remove waiting packages that another run of the pipeline was faster than
    #[arg(long)]
    pub(crate) drop_overtaken: bool,

    #[command(flatten)]
    pub(crate) at: AtArgs,
}
