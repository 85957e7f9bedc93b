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
    if has("without a filter over column") {
        let columns = message.split_once("column(s) ").map_or("", |(_, rest)| rest);
        let columns = columns.split(" that can be used").next().unwrap_or_default().trim();
        let columns = if columns.is_empty() { "the partition column" } else { columns };
        return Some(meaning(
            Config,
            "the table refuses queries that do not say which partitions they are about (require_partition_filter)",
            format!(
                "add a condition on {columns} to the query, such as WHERE … >= '2024-01-01', or take require_partition_filter away"
            ),
        ));
    }
    if has("query is too large") || has("Query is too large") || has("Query too large") || has("resolved query is too")
    {
        return Some(meaning(
            Destination,
            "the statement is longer than BigQuery takes (1 MB; 12 MB with the views it names)",
            "write a shorter query; of a load: give its tables fewer columns (--ignore, --flatten), shorter names, or load less at once",
        ));
    }
    if has("exceeded resource limits") && has("CPU seconds") || refusal.reason == "billingTierLimitExceeded" {
        return Some(meaning(
            Destination,
            "the statement computes more than is paid for by the bytes it reads",
            "let the project use slots (a reservation) instead of on-demand prices, or load less at once",
        ));
    }
    if has("Resources exceeded") || refusal.reason == "resourcesExceeded" {
        return Some(exceeded(message));
    }
    has("Too many partitions").then(|| {
        meaning(
            Destination,
            "the rows are of more partitions than one job may write",
            "make partitions longer before the table is made (partition_by = { column, every = \"month\" }), or load less at once",
        )
    })
}

/// A statement that needs more than there is: what of, its message says.
fn exceeded(message: &str) -> Meaning {
    let (text, hint) = if message.contains("query planning") || message.contains("too complex") {
        (
            "the statement is too complex for BigQuery",
            "ask for fewer tables and columns at once; of a load: give its tables fewer columns (--ignore, --flatten), or load less at once",
        )
    } else if message.contains("allotted memory") || message.contains("out of memory") {
        (
            "the statement needs more memory than BigQuery gives",
            "sort less (ORDER BY only with LIMIT) and select fewer or shorter columns; of a load: load less at once, or narrow a merge down to partitions",
        )
    } else {
        (
            "the statement needs more than BigQuery gives",
            "load less at once, or ask for less; the job's page in the console says what ran out",
        )
    };
    meaning(ErrorKind::Destination, text, hint)
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
const ROLES: [(&str, &str); 11] = [
    (
        "permission to use project",
        "roles/serviceusage.serviceUsageConsumer on the project that the credentials name in quota_project_id (or GOOGLE_CLOUD_QUOTA_PROJECT)",
    ),
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
            (
                400,
                "invalidQuery",
                "Cannot query over table 'p.d.t' without a filter over column(s) 'day', 'at' that can be used for partition elimination",
                "which partitions",
                "a condition on 'day', 'at' to the query",
            ),
            (
                400,
                "invalid",
                "The query is too large. The maximum standard SQL query length is 1024.00K characters, including comments and white space characters.",
                "longer than BigQuery takes",
                "--ignore",
            ),
            (
                0,
                "resourcesExceeded",
                "Resources exceeded during query execution: The query could not be executed in the allotted memory. Peak usage: 128% of limit.",
                "more memory",
                "LIMIT",
            ),
            (
                0,
                "invalidQuery",
                "Resources exceeded during query execution: Not enough resources for query planning - too many subqueries or query is too complex.",
                "too complex",
                "fewer columns",
            ),
            (
                400,
                "billingTierLimitExceeded",
                "Query exceeded resource limits. This query used 9000 CPU seconds but would charge only 10M Analysis bytes.",
                "more than is paid for",
                "slots",
            ),
            (
                403,
                "forbidden",
                "Caller does not have required permission to use project shop-1. Grant the caller the roles/serviceusage.serviceUsageConsumer role",
                "a right is missing",
                "quota_project_id",
            ),
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
