//! BigQuery's refusals in Longshore's words. What its messages quote may be a value of a row, so quotes are left out.

use crate::explain::explain;
use longshore_core::error::Error;
use serde_json::Value;

/// What came of a request that did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// BigQuery's answer.
    Refused(Refusal),
    /// No answer, or no token to ask with.
    Other(Error),
}

/// A refusal: `status` of HTTP (0 for a job's own error), BigQuery's word for the reason, its message, and the job if
/// it is one's own error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) job: String,
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
        Refusal { status, reason: reason.to_owned(), message, job: String::new() }
    }

    /// Reads the error of a job that is done.
    pub(crate) fn from_job(error: &Value) -> Self {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        Refusal { status: 0, reason: text("reason"), message: text("message"), job: String::new() }
    }

    /// True when the same again may succeed a little later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..) || PASSING.contains(&self.reason.as_str()) || self.is_conflict()
    }

    /// Another transaction or statement changed the same table.
    pub(crate) fn is_conflict(&self) -> bool {
        ["concurrent update", "aborted due to concurrent", "Could not serialize access"]
            .iter()
            .any(|text| self.message.contains(text))
    }

    /// What BigQuery said, without values.
    pub(crate) fn cause(&self) -> String {
        format!("{} ({})", without_quotes(&self.message), self.reason)
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

    /// True when a job failed, and not a question about it.
    pub(crate) fn is_of_job(&self) -> bool {
        matches!(self, Failure::Refused(refusal) if refusal.status == 0)
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
        Refusal { status, reason: reason.into(), message: message.into(), job: String::new() }
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
