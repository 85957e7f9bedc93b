//! The one place that names destinations: a table of kinds, each behind its feature.

use longshore_core::connect::Connection;
use longshore_core::destination::Destination;
use longshore_core::error::{Error, Result};
use longshore_core::misspelt::suggest;
use std::sync::Arc;

/// A kind of destination.
pub struct Kind {
    /// Its name, which alone means its default place or what the environment says.
    pub name: &'static str,
    /// The words before the colon of its URLs.
    pub schemes: &'static [&'static str],
    /// How its URLs look.
    pub example: &'static str,
    /// Makes the absolute URL, without secrets, under which packages remember a destination.
    pub canonical: fn(&Connection) -> Result<String>,
    /// Returns the JSON Schema of the keys of its section in `longshore.toml`, beside `type` and `url`.
    pub settings: fn() -> serde_json::Value,
    /// Makes the destination.
    pub open: fn(&Connection) -> Result<Arc<dyn Destination>>,
}

/// All kinds this build has.
pub static KINDS: &[Kind] = &[
    #[cfg(feature = "bigquery")]
    Kind {
        name: "bigquery",
        schemes: &["bigquery"],
        example: "bigquery://project/location",
        canonical: longshore_destination_bigquery::canonical,
        settings: longshore_destination_bigquery::settings_schema,
        open: longshore_destination_bigquery::open,
    },
    #[cfg(feature = "duckdb")]
    Kind {
        name: "duckdb",
        schemes: &["duckdb"],
        example: "duckdb:///path/to/file.duckdb",
        canonical: longshore_destination_duckdb::canonical,
        settings: longshore_destination_duckdb::settings_schema,
        open: longshore_destination_duckdb::open,
    },
    #[cfg(feature = "filesystem")]
    Kind {
        name: "filesystem",
        schemes: &["file", "s3", "s3a", "gs", "gcs", "az", "abfss", "abfs", "azure", "adl"],
        example: "file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix",
        canonical: longshore_destination_filesystem::canonical,
        settings: longshore_destination_filesystem::settings_schema,
        open: longshore_destination_filesystem::open,
    },
    #[cfg(feature = "postgres")]
    Kind {
        name: "postgres",
        schemes: &["postgres", "postgresql"],
        example: "postgres://user@host/database",
        canonical: longshore_destination_postgres::canonical,
        settings: longshore_destination_postgres::settings_schema,
        open: longshore_destination_postgres::open,
    },
];

/// Returns the kind a URL names.
///
/// # Errors
/// When there is none: the message lists those there are.
pub fn kind(url: &str) -> Result<&'static Kind> {
    let url = &with_known_scheme(url);
    let scheme = if is_path(url) { "file" } else { url.split(':').next().unwrap_or(url) };
    KINDS.iter().find(|k| k.name == scheme || k.schemes.contains(&scheme)).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|k| k.example).collect();
        let near = suggest(scheme, KINDS.iter().map(|k| k.name)).filter(|_| is_word(scheme));
        Error::config(match is_word(scheme) {
            true => format!("there is no destination '{scheme}'"),
            // What stands where a URL should may be a secret.
            false => "what stands for the destination is no URL and no kind of destination".to_owned(),
        })
        .hint(near.unwrap_or_else(|| format!("this build has: {}", known.join(", "))))
    })
}

/// Returns a URL with its scheme in small letters, if it is that of a kind: a URL's scheme has no case.
pub fn with_known_scheme(url: &str) -> String {
    if let Some((scheme, rest)) = url.split_once(':') {
        let small = scheme.to_ascii_lowercase();
        if KINDS.iter().any(|k| k.schemes.contains(&small.as_str())) {
            return format!("{small}:{rest}");
        }
    }
    url.to_owned()
}

/// True for what may be the scheme of some URL.
fn is_word(scheme: &str) -> bool {
    scheme.len() <= 30 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
}

/// True for `./out`, `/data/out`, `~/out` and `data/out`: a path, which is a folder's.
fn is_path(url: &str) -> bool {
    let before_query = url.split('?').next().unwrap_or(url);
    let has_scheme = before_query.split_once(':').is_some_and(|(scheme, _)| {
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    });
    !has_scheme && (before_query.contains('/') || before_query.starts_with(['.', '~']))
}

/// Opens the destination of a connection.
///
/// # Errors
/// When the URL names no kind, or the kind refuses it.
pub fn open(connection: &Connection) -> Result<Arc<dyn Destination>> {
    (kind(&connection.url)?.open)(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "filesystem")]
    #[test]
    fn a_bare_path_is_a_folder() {
        for url in [
            "./out",
            "out/x",
            "/data",
            "~/out",
            ".",
            "./a:b/c",
            "out/?format=csv",
            "s3://b/p",
            "abfss://c@a/p",
            "filesystem",
        ] {
            assert_eq!(kind(url).unwrap().name, "filesystem", "{url}");
        }
        assert!(kind("out").is_err());
        assert_eq!(kind("S3://b/p").unwrap().name, "filesystem");
        assert_eq!(with_known_scheme("S3://B/p:q"), "s3://B/p:q");
        assert_eq!(with_known_scheme("Out:X"), "Out:X");
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_known_ones() {
        let error = kind("oracle://x").map(|k| k.name).unwrap_err();
        assert!(error.hint_text().is_some_and(|h| KINDS.iter().all(|k| h.contains(k.example))));
        assert!(error.message().contains("'oracle'"), "{error}");
        let error = kind(&"hush".repeat(20)).map(|k| k.name).unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
