//! What a refusal means, and what to do about it.

use crate::error::Refusal;
use longshore_core::error::{Error, ErrorKind};

/// The kind, what to say, and what to do.
type Meaning = (ErrorKind, String, String);

/// Returns a refusal in our words.
pub(crate) fn explain(refusal: &Refusal) -> Error {
    let (kind, text, hint) = by_message(refusal).unwrap_or_else(|| by_reason(refusal));
    let error = Error::new(kind, text).hint(hint).source(refusal.cause());
    if refusal.job.is_empty() { error } else { error.with("job", &refusal.job) }
}

fn meaning(kind: ErrorKind, text: &str, hint: impl Into<String>) -> Meaning {
    (kind, text.to_owned(), hint.into())
}

/// Refusals that only their message tells from others of the same status and reason.
fn by_message(refusal: &Refusal) -> Option<Meaning> {
    use ErrorKind::{Config, Destination};
    let message = refusal.message.as_str();
    let has = |text: &str| message.contains(text);
    // Every table that is missing is said to be missing in a location.
    if has("Not found: Table") {
        return Some(meaning(
            Destination,
            "there is no such table",
            "check its name: longshore tables shows what there is; the message says where it was looked for",
        ));
    }
    if has("different locations") || has("not found in location") {
        return Some(meaning(
            Config,
            "what the job needs is in different locations",
            "make the staging bucket in the dataset's location, and leave the location out where the dataset is there already",
        ));
    }
    if has("has not enabled BigQuery") || has("has not been used in project") || refusal.reason == "accessNotConfigured"
    {
        let project = project_in(message).unwrap_or("PROJECT");
        return Some(meaning(
            Destination,
            "the API is not enabled in the project",
            format!("enable it: gcloud services enable {} --project {project}", service_in(message)),
        ));
    }
    if has("VPC Service Controls") || has("prohibited by organization's policy") {
        return Some(meaning(
            Destination,
            "a perimeter of the organisation forbids it (VPC Service Controls)",
            "no role helps: ask the organisation's administrator to let this machine or account in",
        ));
    }
    if has("Not found: Project") {
        let project = project_in(message).map(|p| format!(" '{p}'")).unwrap_or_default();
        let text = format!("there is no project{project}, or the account may not see it");
        return Some((Destination, text, "check project_id, and which account is logged in".to_owned()));
    }
    has("Too many partitions").then(|| {
        meaning(
            Destination,
            "the rows are of more partitions than one job may write",
            "make partitions longer before the table is made (partition_by = { column, every = \"month\" }), or load less at once",
        )
    })
}

fn by_reason(refusal: &Refusal) -> Meaning {
    use ErrorKind::{Config, Data, Destination, Unavailable};
    let message = refusal.message.as_str();
    let again = "run the same command again";
    match (refusal.status, refusal.reason.as_str()) {
        _ if refusal.is_conflict() => meaning(Unavailable, "another transaction changed the same tables", again),
        (401, _) => meaning(Config, "BigQuery does not accept the credentials", "log in again, or use another key"),
        (_, "rateLimitExceeded" | "quotaExceeded" | "jobRateLimitExceeded" | "userRateLimitExceeded") | (429, _) => {
            meaning(
                Unavailable,
                &format!("a quota of BigQuery is used up: {}", refusal.reason),
                "wait, or have the quota raised (https://cloud.google.com/bigquery/quotas), and run the same command again",
            )
        }
        _ if is_billing(refusal) => meaning(
            Destination,
            "the project has no billing, and without it BigQuery changes no rows",
            "enable billing for the project: statements that change rows are not part of the sandbox",
        ),
        (403, _) | (_, "accessDenied") => meaning(Destination, where_missing(message), missing_role(message)),
        (404, _) | (_, "notFound") => meaning(
            Destination,
            "BigQuery does not find something",
            "check project, dataset and location; the message says what is not there",
        ),
        (_, "bytesBilledLimitExceeded") => meaning(
            Config,
            "the query would be billed for more bytes than max_bytes_billed",
            "ask for less, or raise max_bytes_billed",
        ),
        (_, "resourcesExceeded") => meaning(
            Destination,
            "the statement needs more than BigQuery gives",
            "load less at once, or look at the job in the console",
        ),
        (_, "stopped") => meaning(
            Destination,
            "the job was cancelled",
            "somebody cancelled it, or a limit of the project did: run the same command again",
        ),
        (_, "invalid") if refusal.status == 0 => meaning(
            Data,
            "BigQuery cannot store the rows",
            "see which column it is, and give it another type or load it as text",
        ),
        _ if refusal.is_passing() => meaning(Unavailable, "BigQuery could not serve the request", again),
        _ => meaning(Destination, "BigQuery refused", "remove the cause and run the same command again"),
    }
}

/// True where the project has no billing. The word alone may be a dataset's name.
fn is_billing(refusal: &Refusal) -> bool {
    let message = refusal.message.to_lowercase();
    let says = ["billing has not been enabled", "billing must be enabled", "enable billing", "billing account"];
    refusal.reason == "billingNotEnabled" || (refusal.status == 403 && says.iter().any(|text| message.contains(text)))
}

/// Permissions as messages name them, and the smallest role that has each.
const ROLES: [(&str, &str); 10] = [
    ("bigquery.jobs.", "roles/bigquery.jobUser on the project"),
    ("bigquery.datasets.create", "roles/bigquery.user on the project, or let somebody make the dataset"),
    ("bigquery.datasets.get", "roles/bigquery.metadataViewer on the dataset"),
    ("bigquery.tables.getData", "roles/bigquery.dataViewer on the dataset"),
    ("bigquery.tables.setCategory", "roles/bigquery.dataOwner on the dataset, to set policy tags"),
    ("fine-grained reader", "roles/datacatalog.categoryFineGrainedReader on the policy tag of the column"),
    ("bigquery.tables.", "roles/bigquery.dataEditor on the dataset and on its staging dataset"),
    ("bigquery.readsessions.", "roles/bigquery.readSessionUser on the project"),
    ("storage.", "roles/storage.objectAdmin on the staging bucket"),
    ("iam.serviceAccounts.getAccessToken", "roles/iam.serviceAccountTokenCreator on the service account"),
];

fn missing_role(message: &str) -> String {
    let role = ROLES.iter().find(|(permission, _)| message.contains(permission)).map(|(_, role)| *role);
    match role {
        Some(role) => format!("the account needs {role}"),
        None => "the account needs roles/bigquery.jobUser on the project, and roles/bigquery.dataEditor on the dataset and on its staging dataset".to_owned(),
    }
}

/// Jobs that read a bucket are refused by BigQuery for a right in Cloud Storage.
fn where_missing(message: &str) -> &'static str {
    let is_storage = ["storage.objects.", "storage.buckets.", "Cloud Storage"].iter().any(|t| message.contains(t));
    if is_storage { "a right is missing in Cloud Storage" } else { "a right is missing in BigQuery" }
}

/// The project that a message names: `… in project 42 before …`, `The project p has not …`, `Not found: Project p`.
fn project_in(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("project ").or_else(|| message.split_once("Project "))?;
    let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.'));
    rest.split(end).next().map(|word| word.trim_end_matches(['.', ':'])).filter(|word| !word.is_empty())
}

/// The service whose API it is: the staging bucket and other accounts have their own.
fn service_in(message: &str) -> &'static str {
    let services = ["storage.googleapis.com", "iamcredentials.googleapis.com"];
    services.into_iter().find(|s| message.contains(s)).unwrap_or("bigquery.googleapis.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, reason: &str, message: &str) -> Refusal {
        Refusal { status, reason: reason.into(), message: message.into(), job: String::new() }
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
    fn refusals_that_look_alike_are_told_apart_by_their_message() {
        for (status, reason, message, text, hint) in [
            (
                0,
                "invalid",
                "Cannot read and write in different locations: source: US, destination: EU",
                "different locations",
                "make the staging bucket in the dataset's location",
            ),
            (404, "notFound", "Not found: Dataset p:d was not found in location EU", "different locations", "location"),
            (
                403,
                "accessNotConfigured",
                "BigQuery API has not been used in project 42 before or it is disabled. Enable it by visiting …",
                "not enabled",
                "gcloud services enable bigquery.googleapis.com --project 42",
            ),
            (400, "invalid", "The project shop-1 has not enabled BigQuery.", "not enabled", "--project shop-1"),
            (
                403,
                "policyViolation",
                "VPC Service Controls: Request is prohibited by organization's policy.",
                "perimeter",
                "administrator",
            ),
            (404, "notFound", "Not found: Project local", "no project 'local'", "project_id"),
            (0, "accessDenied", "x does not have storage.objects.get access", "Cloud Storage", "objectAdmin"),
            (0, "stopped", "Job execution was cancelled: User requested cancellation", "cancelled", "again"),
            (0, "invalid", "Too many partitions produced by query, allowed 4000", "more partitions", "month"),
            (
                404,
                "notFound",
                "Not found: Table p:d.t was not found in location EU",
                "no such table",
                "longshore tables",
            ),
            (
                403,
                "accessDenied",
                "Access Denied: Dataset p:billing: Permission bigquery.tables.create denied on dataset p:billing",
                "a right is missing",
                "dataEditor",
            ),
            (403, "billingNotEnabled", "Billing has not been enabled for this project", "no billing", "enable billing"),
            (
                403,
                "accessDenied",
                "User has neither fine-grained reader nor masked get permission to get data protected by policy tag x",
                "a right is missing",
                "categoryFineGrainedReader",
            ),
            (
                403,
                "accessDenied",
                "Permission bigquery.tables.setCategory denied on table p:d.t",
                "a right is missing",
                "dataOwner",
            ),
        ] {
            let error = Error::from(refusal(status, reason, message));
            assert!(error.message().contains(text), "{message}: {error}");
            assert!(error.hint_text().is_some_and(|h| h.contains(hint)), "{message}: {error:?}");
        }
    }

    #[test]
    fn the_job_is_named() {
        let job = Refusal { job: "p:EU.longshore_1".into(), ..refusal(0, "invalid", "Row 3") };
        assert!(Error::from(job).to_string().contains("job p:EU.longshore_1"));
    }
}
