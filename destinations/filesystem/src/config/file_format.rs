//! The form of data files.

use longshore_core::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The form of data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFormat {
    /// Parquet: none, snappy or zstd.
    #[serde(rename = "parquet")]
    Parquet(Compression),
    /// One JSON object a line: none, gzip or zstd.
    #[serde(rename = "jsonl")]
    Jsonl(Compression),
    /// Comma-separated with a header: none or gzip.
    #[serde(rename = "csv")]
    Csv(Compression),
}

/// How data files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// Snappy; Parquet only.
    Snappy,
    /// Gzip; texts only.
    Gzip,
    /// Zstandard, level 1.
    Zstd,
}

impl FileFormat {
    /// Returns the format of that name, with its default compression where none is said.
    ///
    /// # Errors
    /// When there is no such format, or not with that compression.
    pub fn parse(format: &str, compression: Option<&str>) -> Result<Self> {
        use Compression::*;
        let compression = match compression.map(str::to_ascii_lowercase).as_deref() {
            Option::None => Option::None,
            Some("none" | "uncompressed" | "plain") => Some(None),
            Some("snappy") => Some(Snappy),
            Some("gzip" | "gz") => Some(Gzip),
            Some("zstd" | "zst") => Some(Zstd),
            Some(other) => {
                return Err(Error::config(format!("there is no compression '{other}'"))
                    .hint("write none, snappy, gzip or zstd"));
            }
        };
        let made = match format.to_ascii_lowercase().as_str() {
            "parquet" => FileFormat::Parquet(compression.unwrap_or(Snappy)),
            "jsonl" | "ndjson" => FileFormat::Jsonl(compression.unwrap_or(None)),
            "csv" => FileFormat::Csv(compression.unwrap_or(None)),
            other => {
                return Err(
                    Error::config(format!("there is no file format '{other}'")).hint("write parquet, jsonl or csv")
                );
            }
        };
        let (fits, those) = match made {
            FileFormat::Parquet(c) => (c != Gzip, "none, snappy or zstd"),
            FileFormat::Jsonl(c) => (c != Snappy, "none, gzip or zstd"),
            FileFormat::Csv(c) => (matches!(c, None | Gzip), "none or gzip"),
        };
        if !fits {
            return Err(Error::config(format!("{} files cannot have that compression", made.name()))
                .hint(format!("write {those}")));
        }
        Ok(made)
    }

    /// Returns true when a file's name says that it is of one of the forms.
    pub(crate) fn is_data_file(path: &str) -> bool {
        let plain = [".gz", ".zst"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
        [".parquet", ".jsonl", ".csv"].iter().any(|end| plain.ends_with(end))
    }

    /// Returns its name: `parquet`, `jsonl` or `csv`.
    pub fn name(self) -> &'static str {
        match self {
            FileFormat::Parquet(_) => "parquet",
            FileFormat::Jsonl(_) => "jsonl",
            FileFormat::Csv(_) => "csv",
        }
    }

    /// Returns how its files are compressed.
    pub fn compression(self) -> Compression {
        let (FileFormat::Parquet(c) | FileFormat::Jsonl(c) | FileFormat::Csv(c)) = self;
        c
    }

    /// Returns what its files' names end in.
    pub fn extension(self) -> &'static str {
        match (self, self.compression()) {
            (FileFormat::Parquet(_), _) => "parquet",
            (FileFormat::Jsonl(_), Compression::Gzip) => "jsonl.gz",
            (FileFormat::Jsonl(_), Compression::Zstd) => "jsonl.zst",
            (FileFormat::Jsonl(_), _) => "jsonl",
            (FileFormat::Csv(_), Compression::Gzip) => "csv.gz",
            (FileFormat::Csv(_), _) => "csv",
        }
    }
}

/// Returns its name, as users write it.
pub(super) fn compression_name(compression: Compression) -> String {
    format!("{compression:?}").to_ascii_lowercase()
}
