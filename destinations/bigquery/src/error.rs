//! BigQuery's refusals in Longshore's words. What its messages quote may be a value of a row, so quotes are left out.

use longshore_core::error::{Error, ErrorKind};
use serde_json::Value;

/// What came of a request that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// BigQuery's answer.
    Refused(Refusal),
    /// No answer, or no token to ask with.
    Other(Error),
}

/// A refusal: `status` of HTTP (0 for a job's own error), BigQuery's word for the reason, and its message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Reasons that pass by themselves (https://cloud.google.com/bigquery/docs/error-messages).
const PASSING: [&str; 10] = [
    "backendError",
    "internalError",
    "jobBackendError",
    "jobInternalError",
    "rateLimitExceeded",
    "quotaExceeded",
    "jobRateLimitExceeded",
    "tableUnavailable",
    "timeout",
    "userRateLimitExceeded",
];

impl Refusal {
    /// Reads an answer's body.
    pub(crate) fn from_body(status: u16, body: &str) -> Self {
        let document: Value = serde_json::from_str(body).unwrap_or_default();
        let error = &document["error"];
        let reason = error["errors"][0]["reason"].as_str().or_else(|| error["status"].as_str()).unwrap_or_default();
        let message = error["message"].as_str().map_or_else(|| body.chars().take(300).collect(), str::to_owned);
        Refusal { status, reason: reason.to_owned(), message }
    }

    /// Reads the error of a job that is done.
    pub(crate) fn from_job(error: &Value) -> Self {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Refusal { status: 0, reason: text("reason"), message: text("message") }
    }

    /// True when the same again may succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..) || PASSING.contains(&self.reason.as_str()) || self.is_conflict()
    }

    /// Another transaction or statement changed the same table.
    fn is_conflict(&self) -> bool {
        ["concurrent update", "aborted due to concurrent", "Could not serialize access"]
            .iter()
            .any(|text| self.message.contains(text))
    }
}

impl Failure {
    /// The status of an answer, 0 when there was none.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Failure::Refused(refusal) => refusal.status,
            Failure::Other(_) => 0,
        }
    }

    /// True when the same again may succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Failure::Refused(refusal) => refusal.is_passing(),
            Failure::Other(error) => error.is_retryable(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Other(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Failure::Refused(refusal)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => explain(&refusal),
            Failure::Other(error) => error,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        explain(&refusal)
    }
}

/// The kind, what to say, and what to do about a refusal.
fn explain(refusal: &Refusal) -> Error {
    use ErrorKind::{Config, Data, Destination, Unavailable};
    let message = refusal.message.as_str();
    let again = "run the same command again";
    let (kind, text, hint) = match (refusal.status, refusal.reason.as_str()) {
        _ if refusal.is_conflict() => {
            (Unavailable, "another transaction changed the same tables".to_owned(), again.to_owned())
        }
        (401, _) => (
            Config,
            "BigQuery does not accept the credentials".to_owned(),
            "log in again, or use another key".to_owned(),
        ),
        (_, "rateLimitExceeded" | "quotaExceeded" | "jobRateLimitExceeded" | "userRateLimitExceeded") | (429, _) => (
            Unavailable,
            format!("a quota of BigQuery is used up: {}", refusal.reason),
            "wait, or have the quota raised (https://cloud.google.com/bigquery/quotas), and run the same command again"
                .to_owned(),
        ),
        (_, "billingNotEnabled") | (403, _) if message.to_lowercase().contains("billing") => (
            Destination,
            "the project has no billing, and without it BigQuery changes no rows".to_owned(),
            "enable billing for the project: statements that change rows are not part of the sandbox".to_owned(),
        ),
        (403, _) | (_, "accessDenied") => {
            (Destination, "a right is missing in BigQuery".to_owned(), missing_role(message))
        }
        (404, _) | (_, "notFound") => (
            Destination,
            "BigQuery does not find something".to_owned(),
            "check project, dataset and location; the message says what is not there".to_owned(),
        ),
        (_, "bytesBilledLimitExceeded") => (
            Config,
            "the query would be billed for more bytes than max_bytes_billed".to_owned(),
            "ask for less, or raise max_bytes_billed".to_owned(),
        ),
        (_, "resourcesExceeded") => (
            Destination,
            "the statement needs more than BigQuery gives".to_owned(),
            "load less at once, or look at the job in the console".to_owned(),
        ),
        (_, "invalid") if refusal.status == 0 => (
            Data,
            "BigQuery cannot store the rows".to_owned(),
            "see which column it is, and give it another type or load it as text".to_owned(),
        ),
        _ if refusal.is_passing() => (Unavailable, "BigQuery could not serve the request".to_owned(), again.to_owned()),
        _ => (Destination, "BigQuery refused".to_owned(), "remove the cause and run the same command again".to_owned()),
    };
    Error::new(kind, text).hint(hint).source(format!("{} ({})", without_quotes(message), refusal.reason))
}

/// Permissions as messages name them, and the smallest role that has each.
const ROLES: [(&str, &str); 8] = [
    ("bigquery.jobs.", "roles/bigquery.jobUser on the project"),
    ("bigquery.datasets.create", "roles/bigquery.user on the project, or let somebody make the dataset"),
    ("bigquery.datasets.get", "roles/bigquery.metadataViewer on the dataset"),
    ("bigquery.tables.getData", "roles/bigquery.dataViewer on the dataset"),
    ("bigquery.tables.", "roles/bigquery.dataEditor on the dataset and on its staging dataset"),
    ("bigquery.readsessions.", "roles/bigquery.readSessionUser on the project"),
    ("storage.objects.", "roles/storage.objectAdmin on the staging bucket"),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.serviceAccountTokenCreator on the service account"),
];

fn missing_role(message: &str) -> String {
    let role = ROLES.iter().find(|(permission, _)| message.contains(permission)).map(|(_, role)| *role);
    match role {
        Some(role) => format!("the account needs {role}"),
        None => "the account needs roles/bigquery.jobUser on the project, and roles/bigquery.dataEditor on the dataset and on its staging dataset".to_owned(),
    }
}

/// Leaves out what stands in quotes: it may be a value. Names stand in backticks, or in none.
fn without_quotes(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut open: Option<char> = None;
    let mut before = ' ';
    for c in message.chars() {
        match open {
            Some(quote) if c == quote => {
                out.push('…');
                out.push(c);
                open = None;
            }
            Some(_) => {}
            // An apostrophe inside a word opens nothing.
            None if c == '"' || (c == '\'' && !before.is_alphanumeric()) => {
                out.push(c);
                open = Some(c);
            }
            None => out.push(c),
        }
        before = c;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, reason: &str, message: &str) -> Refusal {
        Refusal { status, reason: reason.into(), message: message.into() }
    }

    #[test]
    fn a_missing_right_is_answered_with_its_role() {
        let message = "Access Denied: Project p: User does not have bigquery.jobs.create permission in project p.";
        let error = Error::from(refusal(403, "accessDenied", message));
        assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.jobUser")), "{error:?}");
        let message = "Access Denied: Dataset p:d: Permission bigquery.tables.create denied on dataset p:d";
        let error = Error::from(refusal(403, "accessDenied", message));
        assert!(error.hint_text().is_some_and(|h| h.contains("roles/bigquery.dataEditor")), "{error:?}");
    }

    #[test]
    fn quotas_and_conflicts_pass() {
        for r in [
            refusal(403, "quotaExceeded", "Quota exceeded: Your project exceeded quota for free query bytes scanned"),
            refusal(403, "rateLimitExceeded", "Exceeded rate limits: too many table update operations"),
            refusal(0, "invalidQuery", "Transaction is aborted due to concurrent update against table p.d.t"),
            refusal(503, "", "x"),
        ] {
            assert!(r.is_passing(), "{r:?}");
            assert!(Error::from(r).is_retryable());
        }
        assert!(!refusal(400, "invalid", "x").is_passing());
    }

    #[test]
    fn what_stands_in_quotes_is_left_out() {
        assert_eq!(without_quotes("Bad value 'hush it' for `c`; it's \"hush\""), "Bad value '…' for `c`; it's \"…\"");
    }
}
