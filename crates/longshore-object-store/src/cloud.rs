//! The clouds, by their URLs' schemes.

use object_store::aws::AmazonS3ConfigKey;
use object_store::azure::AzureConfigKey;
use object_store::gcp::GoogleConfigKey;

/// Whose object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// S3 and what speaks its language.
    Aws,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage and Data Lake Storage.
    Azure,
}

impl Cloud {
    /// Returns the cloud of a URL's scheme: `s3`, `gs`, `az` and their kin.
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "s3" | "s3a" => Some(Cloud::Aws),
            "gs" | "gcs" => Some(Cloud::Google),
            "az" | "azure" | "abfs" | "abfss" | "adl" => Some(Cloud::Azure),
            _ => None,
        }
    }

    /// The option's name in `object_store`, if it has it.
    pub(crate) fn canonical(self, key: &str) -> Option<String> {
        let key = key.to_ascii_lowercase();
        match self {
            Cloud::Aws => key.parse::<AmazonS3ConfigKey>().ok().map(|k| k.as_ref().to_owned()),
            Cloud::Google => key.parse::<GoogleConfigKey>().ok().map(|k| k.as_ref().to_owned()),
            Cloud::Azure => key.parse::<AzureConfigKey>().ok().map(|k| k.as_ref().to_owned()),
        }
    }

    /// Beginnings of the environment variables it reads.
    pub(crate) fn variables(self) -> &'static str {
        match self {
            Cloud::Aws => "AWS_",
            Cloud::Google => "GOOGLE_",
            Cloud::Azure => "AZURE_",
        }
    }
}
