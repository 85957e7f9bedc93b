//! The project, where neither the URL nor a setting names one: looked for as Google's own tools do it.

use crate::config::Credentials;
use crate::given::{document_of, gcloud_folder};
use longshore_core::connect::Connection;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// A machine of Google's answers at once, and others have no such server.
const WAIT: Duration = Duration::from_secs(2);
/// Longest answer that is read.
const LONGEST: u64 = 4096;

/// Returns the project of the key, of the environment, of gcloud's configuration, the one that pays for a user's requests, or that of
/// the machine.
pub(crate) fn project(connection: &Connection, credentials: &Credentials) -> Option<String> {
    let document = document_of(credentials).unwrap_or_default();
    let named = |key: &str| document[key].as_str().filter(|p| is_project(p)).map(str::to_owned);
    let (is_given, is_default) = match credentials {
        Credentials::Default { .. } => (false, true),
        Credentials::Anonymous | Credentials::Token(_) => (false, false),
        Credentials::Document(_) | Credentials::File(_) => (true, false),
    };
    named("project_id")
        .filter(|_| is_given)
        .or_else(|| {
            let variables = ["GOOGLE_CLOUD_PROJECT", "GCP_PROJECT", "GCLOUD_PROJECT"];
            variables.iter().find_map(|v| connection.env(v)).map(str::to_owned)
        })
        .or_else(|| named("project_id"))
        .or_else(|| of_gcloud(connection).filter(|_| is_default))
        .or_else(|| named("quota_project_id"))
        .or_else(|| match credentials {
            Credentials::Default { well_known: None, metadata } if connection.env("NO_GCE_CHECK").is_none() => {
                of_machine(metadata)
            }
            _ => None,
        })
}

/// Returns the project that a user's requests are counted and paid for in, if it is another than that of the program the user logged
/// in with. A token that somebody else got, and an account that is acted for, have no say in that.
pub(crate) fn quota_project(connection: &Connection, credentials: &Credentials) -> Option<String> {
    let document = document_of(credentials)?;
    let set = connection.env("GOOGLE_CLOUD_QUOTA_PROJECT").or_else(|| document["quota_project_id"].as_str());
    set.filter(|p| is_project(p)).map(str::to_owned)
}

/// What `gcloud config set project` has set.
fn of_gcloud(connection: &Connection) -> Option<String> {
    if let Some(project) = connection.env("CLOUDSDK_CORE_PROJECT") {
        return Some(project.to_owned());
    }
    let folder = gcloud_folder(connection)?;
    let folder = Path::new(&folder);
    let active = connection.env("CLOUDSDK_ACTIVE_CONFIG_NAME").map(str::to_owned);
    let active = active.or_else(|| std::fs::read_to_string(folder.join("active_config")).ok());
    let name = active.as_deref().map_or("default", str::trim);
    let text = std::fs::read_to_string(folder.join("configurations").join(format!("config_{name}"))).ok()?;
    let mut is_core = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_core = line == "[core]";
        } else if let (true, Some((key, value))) = (is_core, line.split_once('='))
            && key.trim() == "project"
        {
            return Some(value.trim().to_owned()).filter(|p| is_project(p));
        }
    }
    None
}

/// Asks the metadata server for the project of the machine: by hand, since it is one small answer without encryption, needed before there is
/// anything to send requests with.
fn of_machine(host: &str) -> Option<String> {
    let (server, path) = host.split_once('/').unwrap_or((host, ""));
    let address = if server.contains(':') { server.to_owned() } else { format!("{server}:80") };
    let mut stream = TcpStream::connect_timeout(&address.to_socket_addrs().ok()?.next()?, WAIT).ok()?;
    stream.set_read_timeout(Some(WAIT)).ok()?;
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    write!(
        stream,
        "GET {path}/computeMetadata/v1/project/project-id HTTP/1.0\r\nHost: {server}\r\nMetadata-Flavor: Google\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer).ok()?;
    let (head, project) = answer.split_once("\r\n\r\n")?;
    let is_found = head.split(' ').nth(1) == Some("200");
    is_found.then(|| project.trim().to_owned()).filter(|p| is_project(p))
}

fn is_project(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn connection(environment: &[(&str, &str)]) -> Connection {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Connection { environment, ..Connection::new("bigquery") }
    }

    #[test]
    fn gclouds_active_configuration_names_the_project() {
        let folder = tempfile::tempdir().unwrap();
        let configurations = folder.path().join("configurations");
        std::fs::create_dir(&configurations).unwrap();
        std::fs::write(configurations.join("config_default"), "[core]\naccount = a@b\nproject = mine\n").unwrap();
        std::fs::write(configurations.join("config_work"), "[compute]\nproject = x\n[core]\nproject=work-1\n").unwrap();
        let path = folder.path().to_str().unwrap();
        let of = |more: &[(&str, &str)]| of_gcloud(&connection(&[&[("CLOUDSDK_CONFIG", path)], more].concat()));
        assert_eq!(of(&[]).as_deref(), Some("mine"));
        assert_eq!(of(&[("CLOUDSDK_ACTIVE_CONFIG_NAME", "work")]).as_deref(), Some("work-1"));
        assert_eq!(of(&[("CLOUDSDK_CORE_PROJECT", "now")]).as_deref(), Some("now"));
        std::fs::write(folder.path().join("active_config"), "work\n").unwrap();
        assert_eq!(of(&[]).as_deref(), Some("work-1"));
        assert_eq!(of(&[("CLOUDSDK_ACTIVE_CONFIG_NAME", "nosuch")]), None);
    }

    #[test]
    fn a_key_goes_before_the_environment_and_who_pays_comes_late() {
        let folder = tempfile::tempdir().unwrap();
        let empty = ("CLOUDSDK_CONFIG", folder.path().to_str().unwrap());
        let document = |value: Value| Credentials::Document(longshore_core::connect::Secret::new(value.to_string()));
        let variable = ("GOOGLE_CLOUD_PROJECT", "env");
        let of = |value: Value, more: &[(&str, &str)]| {
            project(&connection(&[&[empty], more].concat()), &document(value)).unwrap_or_default()
        };
        assert_eq!(of(json!({"project_id": "key"}), &[variable]), "key");
        assert_eq!(of(json!({"quota_project_id": "pays"}), &[variable]), "env");
        assert_eq!(of(json!({"quota_project_id": "pays"}), &[]), "pays");
        let user = document(json!({"quota_project_id": "pays"}));
        assert_eq!(quota_project(&connection(&[]), &user).as_deref(), Some("pays"));
        let set = connection(&[("GOOGLE_CLOUD_QUOTA_PROJECT", "other")]);
        assert_eq!(quota_project(&set, &user).as_deref(), Some("other"));
        assert_eq!(quota_project(&connection(&[]), &document(json!({"quota_project_id": "a\nb"}))), None);
        assert_eq!(quota_project(&set, &Credentials::Anonymous), None);
    }
}
