//! The keys of dlt's credentials, by kind of destination (`dlt/destinations/impl/*/configuration.py`).

/// Keys of `[destination.KIND.credentials]` that mean something here. Other keys of dlt's files are left alone.
pub(crate) const CREDENTIALS: [(&str, &[&str]); 4] = [
    ("duckdb", &["database"]),
    ("postgres", &["database", "username", "password", "host", "port", "connect_timeout"]),
    (
        "filesystem",
        &[
            "aws_access_key_id",
            "aws_secret_access_key",
            "aws_session_token",
            "profile_name",
            "region_name",
            "endpoint_url",
            "s3_url_style",
            "azure_storage_account_name",
            "azure_storage_account_key",
            "azure_storage_sas_token",
            "azure_client_id",
            "azure_client_secret",
            "azure_tenant_id",
            "project_id",
            "private_key",
            "client_email",
        ],
    ),
    ("bigquery", &["project_id", "private_key", "client_email", "client_id", "client_secret", "refresh_token"]),
];

/// Keys of `[destination.KIND]` itself.
pub(crate) fn plain_keys(kind: &str) -> &'static [&'static str] {
    match kind {
        "filesystem" => &["bucket_url", "layout"],
        "bigquery" => &["location", "project_id"],
        _ => &[],
    }
}
