//! What can be written on the command line.

mod loads;
pub(crate) mod plan;
mod project;
mod upkeep;

pub(crate) use loads::{LoadsArgs, WhereArgs};
pub(crate) use plan::{PlanArgs, PlanWhat};
pub(crate) use project::{CheckArgs, InitArgs, RunArgs};
pub(crate) use upkeep::{AtArgs, DropArgs, SyncArgs};

use crate::machine;
use crate::refresh::RefreshArgs;
use crate::schema_args::{SchemaArgs, ShapeArgs};
use crate::write_args::WriteArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use longshore_core::connect::Limits;
use longshore_pipeline::{DEFAULT_LEASE_TIME, DEFAULT_WAIT, Pipeline};
use std::path::PathBuf;
use std::time::Duration;

/// Loads nested JSON into databases and files: parent and child tables, exactly once.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Folder for pipelines and packages [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "LONGSHORE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// More log lines on stderr
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

impl Cli {
    /// True when the answer is to be JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Load(load) => load.json,
            Command::Run(run) => run.json,
            Command::Plan(plan) => plan.json(),
            Command::Check(check) => check.json,
            Command::Tables(tables) => tables.json,
            Command::Pipeline(pipeline) => pipeline.json,
            #[cfg(feature = "filesystem")]
            Command::Clean(clean) => clean.json,
            Command::Init(_) | Command::Query(_) | Command::Completions { .. } => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Load files, folders, globs, URLs or stdin
    Load(Box<LoadArgs>),
    /// Load the sources that a project declares in longshore.toml
    Run(Box<RunArgs>),
    /// Say what a load or a run would do: tables, columns, statements, rows. Changes nothing
    Plan(PlanArgs),
    /// Say what is wrong with a project's configuration
    Check(CheckArgs),
    /// Write a project to begin with
    Init(InitArgs),
    /// Run a query on what was loaded
    Query(QueryArgs),
    /// List the tables of a dataset with their row counts
    Tables(TablesArgs),
    /// Remove what interrupted loads left in folders and buckets
    #[cfg(feature = "filesystem")]
    Clean(CleanArgs),
    /// Look after a pipeline: its packages, schema, last run
    Pipeline(PipelineArgs),
    /// Print a completion script
    Completions {
        /// The shell to print it for
        shell: clap_complete::Shell,
    },
}

/// How a command takes turns with other runs of its pipeline.
#[derive(Debug, Clone, Args)]
pub(crate) struct TurnArgs {
    /// How long to wait for another run of the pipeline to end, such as 30s, 10m or 0s [default: 15s]
    #[arg(long, value_name = "TIME", env = "LONGSHORE_WAIT", value_parser = duration)]
    pub(crate) wait: Option<Duration>,

    /// After how long without a sign of life a run in a folder or bucket counts as dead [default: 30s]
    #[arg(long, value_name = "TIME", env = "LONGSHORE_LEASE_TIME", value_parser = duration)]
    pub(crate) lease_time: Option<Duration>,
}

impl TurnArgs {
    /// Tells the pipeline.
    pub(crate) fn apply(&self, pipeline: Pipeline) -> Pipeline {
        pipeline.waiting(self.wait.unwrap_or(DEFAULT_WAIT)).lease_time_of(self.lease_time.unwrap_or(DEFAULT_LEASE_TIME))
    }
}

/// What the command may use of the machine.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Threads to use, 1 to 1024 [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Memory to stay within, such as 256M or 1.5G, at least 32M [default: half of what the process may have, at most 256M]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
}

impl LimitArgs {
    /// What destinations may use of it.
    pub(crate) fn read(&self) -> longshore_core::error::Result<Limits> {
        Ok(machine::limits(machine::threads(self.threads)?, machine::memory(self.memory.as_deref())?))
    }
}

/// One byte between fields; a tabulator may be written as shells can.
fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        [b'\\', b't'] => Ok(b'\t'),
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err("write one character of ASCII, or \\t".to_owned()),
    }
}

/// `30`, `30s`, `10m`, `2h`
fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write it as 30s, 10m or 2h".to_owned()),
    };
    let number = number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)).filter(|n| *n <= 30 * 86400);
    number.map(Duration::from_secs).ok_or_else(|| "write it as 30s, 10m or 2h, at most 30 days".to_owned())
}

/// Where a load goes.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlaceArgs {
    /// Name that keeps packages and state together
    #[arg(long, value_name = "NAME", default_value = "longshore", env = "LONGSHORE_PIPELINE")]
    pub(crate) pipeline: String,

    /// Where to: a name (duckdb) or a URL (duckdb:///shop.duckdb) [default: <pipeline>.duckdb here]
    #[arg(long, short, value_name = "URL", env = "LONGSHORE_DESTINATION")]
    pub(crate) destination: Vec<String>,

    /// Schema or folder the tables stand in [default: <pipeline>_dataset]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_DATASET")]
    pub(crate) dataset: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// Files, folders, globs, URLs (s3, gs, az, https), or - for stdin
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<String>,

    /// Root table of the records [default: the first input's name; patterns and - have none]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) table: Option<String>,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// JSONPath to the records inside a wrapper, such as '$.data[*]'
    #[arg(long, value_name = "PATH")]
    pub(crate) select: Option<String>,

    /// How the files are written, where their endings do not say it [default: by the ending, else JSON]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<InputFormat>,

    /// What stands between the fields of CSV, such as ';' or '\t' [default: a comma, or a tabulator in .tsv]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,

    /// Levels of nesting that become columns and tables; deeper ones stay JSON
    #[arg(long, value_name = "N", default_value_t = longshore_core::normalize::DEFAULT_MAX_NESTING)]
    pub(crate) max_nesting: u32,

    /// Paths kept as JSON columns, such as payload.raw,lines.attributes
    #[arg(long, value_name = "PATH,..", value_delimiter = ',')]
    pub(crate) json_columns: Vec<String>,

    /// Lists and structs of Parquet and Arrow files that become tables and columns: names, or all
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',')]
    pub(crate) unnest: Vec<String>,

    /// Type and properties of a field, such as birthday=date or id=bigint:not_null:unique:name=order_id
    #[arg(long, value_name = "PATH=TYPE", value_delimiter = ',')]
    pub(crate) hint: Vec<String>,

    /// Names and form of the loader's own columns and tables
    #[arg(long, value_enum, default_value_t = SystemColumns::Native)]
    pub(crate) system_columns: SystemColumns,

    #[command(flatten)]
    pub(crate) write: WriteArgs,

    #[command(flatten)]
    pub(crate) refresh: RefreshArgs,

    #[command(flatten)]
    pub(crate) schema: SchemaArgs,

    #[command(flatten)]
    pub(crate) shape: ShapeArgs,

    /// What to do with records that are not JSON
    #[arg(long, value_enum, default_value_t = OnError::Fail)]
    pub(crate) on_error: OnError,

    /// Threads to use, 1 to 1024 [default: as many as there are processors]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,

    /// Memory to stay within, such as 256M or 1.5G, at least 32M [default: half of what the process may have, at most 256M]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,

    /// Loaded packages whose rows are kept, to be replayed to another destination
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) keep_packages: usize,

    #[command(flatten)]
    pub(crate) turn: TurnArgs,

    /// How to show progress
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    pub(crate) progress: ProgressMode,

    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum InputFormat {
    /// JSON, NDJSON, concatenated JSON
    Json,
    /// CSV with a header
    Csv,
    /// Parquet
    Parquet,
    /// Arrow IPC, as file or stream
    Arrow,
}

impl From<InputFormat> for longshore_source_files::declared::Format {
    fn from(word: InputFormat) -> Self {
        match word {
            InputFormat::Json => Self::Json,
            InputFormat::Csv => Self::Csv,
            InputFormat::Parquet => Self::Parquet,
            InputFormat::Arrow => Self::Arrow,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SystemColumns {
    /// _row_id, _parent_id, _load_id: whole-number ids
    Native,
    /// _dlt_id, _dlt_parent_id, _dlt_load_id: as dlt writes them
    Dlt,
}

impl From<SystemColumns> for longshore_core::schema::SystemColumns {
    fn from(words: SystemColumns) -> Self {
        match words {
            SystemColumns::Native => Self::Native,
            SystemColumns::Dlt => Self::Dlt,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// Load nothing and say where the first bad record is
    Fail,
    /// Keep bad records whole in the rejects table and load the rest
    Reject,
}

impl From<OnError> for longshore_core::normalize::OnError {
    fn from(word: OnError) -> Self {
        match word {
            OnError::Fail => Self::Fail,
            OnError::Reject => Self::Reject,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, log lines elsewhere
    Auto,
    /// A bar
    Bar,
    /// A line every few seconds
    Log,
    /// Nothing
    Off,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The query; table names need no dataset
    pub(crate) sql: String,

    #[command(flatten)]
    pub(crate) place: LoadsArgs,

    /// How to print the rows
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For reading
    Table,
    /// Comma-separated with a header
    Csv,
    /// One JSON object a line
    Json,
    /// A Parquet file, on stdout
    Parquet,
}

#[derive(Debug, Args)]
pub(crate) struct TablesArgs {
    #[command(flatten)]
    pub(crate) place: LoadsArgs,

    /// Print as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(feature = "filesystem")]
#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    #[command(flatten)]
    pub(crate) place: LoadsArgs,

    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline's name
    pub(crate) name: String,

    #[command(subcommand)]
    pub(crate) action: PipelineAction,

    /// Print as one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PipelineAction {
    /// Where it stands: working folder, destinations, last load
    Info,
    /// Its packages: waiting and loaded
    Packages,
    /// The schema of the newest package
    Schema {
        /// How to print it
        #[arg(long, value_enum, default_value_t = SchemaFormat::Yaml)]
        format: SchemaFormat,

        /// Say what each load changed instead
        #[arg(long)]
        history: bool,
    },
    /// What the last run did and where the time went
    Trace,
    /// Load the packages that wait
    Retry {
        /// Also behind what another run of the pipeline has loaded meanwhile
        #[arg(long)]
        force: bool,

        #[command(flatten)]
        limits: LimitArgs,

        #[command(flatten)]
        turn: TurnArgs,
    },
    /// Load the packages that are still kept into another destination
    Replay {
        /// Where to: a name or a URL, as --destination of load
        #[arg(long, required = true, value_name = "URL")]
        to: Vec<String>,

        #[command(flatten)]
        limits: LimitArgs,

        #[command(flatten)]
        turn: TurnArgs,
    },
    /// Give up a package that waits
    DropPackage {
        /// Its load id [default: the only one that waits]
        load_id: Option<String>,
    },
    /// Drop resources: their tables with those below them, and what the state remembers of them
    Drop(DropArgs),
    /// Take schema and state over from the destination, and forget what the working folder knows
    Sync(SyncArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// As export and import folders have it
    Yaml,
    /// The same as JSON
    Json,
    /// Statements that make the tables
    Sql,
    /// A diagram of tables and their parents, for Markdown
    Mermaid,
}
