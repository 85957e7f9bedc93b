//! Credentials as settings give them: a document, a file, a key field by field, a token, or whoever is logged in.

use crate::config::{Credentials, Settings};
use longshore_core::connect::{Connection, Secret};
use longshore_core::error::{Error, Result};
use serde_json::Value;

/// What settings say about credentials.
pub(crate) enum Given {
    Credentials(Credentials),
    /// Whoever is logged in, at another endpoint too.
    Default,
    Nothing,
}

/// Returns the document of credentials, if it is there and JSON.
pub(crate) fn document_of(credentials: &Credentials) -> Option<Value> {
    let text = match credentials {
        Credentials::Document(secret) => secret.expose().to_owned(),
        Credentials::File(path) => std::fs::read_to_string(path).ok()?,
        Credentials::Default { well_known: Some(path), .. } => std::fs::read_to_string(path).ok()?,
        _ => return None,
    };
    serde_json::from_str(&text).ok()
}

/// `credentials` is a document, a file's path, or a document in base64; or its keys stand in the section themselves.
pub(crate) fn document(given: &mut Settings) -> Result<Given> {
    if let Some(token) = given.access_token.take() {
        return Ok(Given::Credentials(Credentials::Token(Secret::new(token))));
    }
    let (key, email) = (given.private_key.take(), given.client_email.take());
    if key.is_some() != email.is_some() && given.credentials.is_none() {
        let (there, missing) =
            if key.is_some() { ("private_key", "client_email") } else { ("client_email", "private_key") };
        return Err(Error::config(format!("'{there}' is set, and '{missing}' is not"))
            .hint("a service account's key has both; or set credentials to the key's file"));
    }
    if let (Some(key), Some(email)) = (key, email) {
        let mut document = serde_json::json!({"type": "service_account", "private_key": key, "client_email": email});
        for (name, value) in [("token_uri", &given.token_uri), ("private_key_id", &given.private_key_id)] {
            if let Some(value) = value {
                document[name] = Value::String(value.clone());
            }
        }
        return Ok(Given::Credentials(Credentials::Document(Secret::new(document.to_string()))));
    }
    let found = match given.credentials.take() {
        None | Some(Value::Null) => return Ok(Given::Nothing),
        Some(Value::Object(mut section)) => {
            if given.project_id.is_none() {
                given.project_id = section.get("project_id").and_then(Value::as_str).map(str::to_owned);
            }
            // dlt's sections have no type: a key has a private_key, a user's login a refresh_token.
            if !section.contains_key("type") {
                let kind = if section.contains_key("refresh_token") { "authorized_user" } else { "service_account" };
                section.insert("type".into(), kind.into());
            }
            if !["private_key", "refresh_token", "credential_source", "source_credentials"]
                .iter()
                .any(|k| section.contains_key(*k))
            {
                return Ok(Given::Nothing); // only a project: whoever is logged in
            }
            Credentials::Document(Secret::new(Value::Object(section).to_string()))
        }
        Some(Value::String(text)) if text == "default" => return Ok(Given::Default),
        Some(Value::String(text)) if text.trim().is_empty() => {
            return Err(Error::config("the setting 'credentials' is empty")
                .hint("leave it out, or write \"default\": whoever is logged in"));
        }
        Some(Value::String(text)) if text.trim_start().starts_with('{') => Credentials::Document(Secret::new(text)),
        Some(Value::String(text)) => {
            match from_base64(&text) {
                Some(document) => Credentials::Document(Secret::new(document)),
                // What is wrong is said without the text: it is a secret, and no file's name.
                None if text.contains('\n') || text.len() > LONGEST_PATH => {
                    return Err(Error::config(
                        "the setting 'credentials' is neither a document in base64 nor a file's path",
                    )
                    .hint("give the key's file, or its whole content as JSON or in base64"));
                }
                None => Credentials::File(text),
            }
        }
        Some(_) => return Err(Error::config("the setting 'credentials' is neither a text nor a section")),
    };
    Ok(Given::Credentials(found))
}

/// Longer texts are no path: they are a document that was cut off.
const LONGEST_PATH: usize = 1024;

/// A document in base64, with line breaks or without, padded or not, of either alphabet.
fn from_base64(text: &str) -> Option<String> {
    use base64::Engine;
    use base64::alphabet::{STANDARD, URL_SAFE};
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let compact: String = text.split_whitespace().collect();
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    [STANDARD, URL_SAFE].iter().find_map(|alphabet| {
        let bytes = GeneralPurpose::new(alphabet, config).decode(&compact).ok()?;
        String::from_utf8(bytes).ok().filter(|document| document.trim_start().starts_with('{'))
    })
}

/// What Google's own libraries look for, in their order.
pub(crate) fn default_credentials(connection: &Connection) -> Credentials {
    if let Some(file) = connection.env("GOOGLE_APPLICATION_CREDENTIALS") {
        return Credentials::File(file.to_owned());
    }
    let file = gcloud_folder(connection).map(|f| format!("{f}/application_default_credentials.json"));
    Credentials::Default {
        well_known: file.filter(|f| std::path::Path::new(f).is_file()),
        metadata: connection.env("GCE_METADATA_HOST").unwrap_or("metadata.google.internal").to_owned(),
    }
}

/// Where gcloud keeps what it knows.
pub(crate) fn gcloud_folder(connection: &Connection) -> Option<String> {
    connection.env("CLOUDSDK_CONFIG").map(str::to_owned).or_else(|| {
        let windows = connection.env("APPDATA").map(|d| format!("{d}/gcloud"));
        windows.or_else(|| connection.env("HOME").map(|d| format!("{d}/.config/gcloud")))
    })
}
