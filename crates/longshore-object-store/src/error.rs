//! The stores' errors in Longshore's words.

use crate::cloud::Cloud;
use longshore_core::error::{Error, ErrorKind};
use object_store::Error as StoreError;
use std::error::Error as StdError;

/// What was being done: each needs a permission of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An object's bytes.
    Read,
    /// An object, new or over an old one.
    Write,
    /// The names below a prefix.
    List,
    /// An object, away.
    Delete,
}

impl Action {
    fn words(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Write => "written",
            Action::List => "listed",
            Action::Delete => "deleted",
        }
    }

    fn permission(self, cloud: Cloud) -> &'static str {
        match (cloud, self) {
            (Cloud::Aws, Action::Read) => "s3:GetObject",
            (Cloud::Aws, Action::Write) => "s3:PutObject",
            (Cloud::Aws, Action::List) => "s3:ListBucket",
            (Cloud::Aws, Action::Delete) => "s3:DeleteObject",
            (Cloud::Google, Action::Read) => "storage.objects.get",
            (Cloud::Google, Action::Write) => "storage.objects.create and storage.objects.delete",
            (Cloud::Google, Action::List) => "storage.objects.list",
            (Cloud::Google, Action::Delete) => "storage.objects.delete",
            (Cloud::Azure, Action::Read | Action::List) => "Storage Blob Data Reader",
            (Cloud::Azure, Action::Write | Action::Delete) => "Storage Blob Data Contributor",
        }
    }
}

/// Returns the error an answer of an object store stands for. What will not pass by itself is of that kind: it is an
/// input or a destination that cannot be reached.
pub fn from_store(e: StoreError, cloud: Cloud, bucket: &str, key: &str, action: Action, lasting: ErrorKind) -> Error {
    let text = chain(&e);
    let has = |words: &[&str]| words.iter().any(|w| text.contains(w));
    let error = |kind, message: String| Error::new(kind, message).with("bucket", bucket).with("key", key);
    let what = action.words();
    let expired = [
        "ExpiredToken",
        "TokenRefreshRequired",
        "RequestExpired",
        "token has expired",
        "AuthenticationFailed: expired",
        // A shared access signature of Azure's.
        "Signature not valid in the specified time frame",
    ];
    let made = if has(&expired) {
        // A provider brings new credentials for the next try; constant ones have to be changed.
        error(ErrorKind::Unavailable, format!("the object cannot be {what}: the credentials have expired"))
            .hint("renew them and run the same command again; nothing is lost")
    } else if has(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        error(lasting, "there is no such bucket".to_owned())
            .hint("Longshore makes no buckets; check the name, the endpoint and the region")
    } else if has(&["NoSuchUpload"]) {
        error(ErrorKind::Unavailable, format!("the object cannot be {what}: its upload was ended by somebody else"))
            .hint("run the same command again, which begins it anew; a rule of the bucket that ends unfinished uploads should give them a day")
    } else if has(&["AuthorizationFailure"]) {
        let permission = action.permission(cloud);
        error(lasting, format!("the object cannot be {what}: the storage account does not let this request in"))
            .hint(format!(
                "let this network in (the account's networking), and give the role, key or shared access signature {permission}"
            ))
    } else if has(&["AuthorizationHeaderMalformed"]) && has(&["expecting '"]) {
        elsewhere(error(lasting, format!("the object cannot be {what}: the bucket is in another region")))
    } else if has(&["InvalidObjectState", "BlobArchived"]) {
        error(lasting, format!("the object cannot be {what}: it is archived"))
            .hint("bring it back from the archive first, or leave it out")
    } else if has(&["kms:"]) {
        error(lasting, format!("the object cannot be {what}: a permission for the key it is encrypted with is missing"))
            .hint("give the credentials kms:Decrypt (to write, also kms:GenerateDataKey) on that key and run the same command again")
    } else if has(&[
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "AuthenticationFailed",
    ]) {
        error(lasting, format!("the object cannot be {what}: the store does not know these credentials"))
            .hint("check key, secret and region")
    } else if has(&[
        "token request",
        "169.254.169.254",
        "metadata.google.internal",
        "MissingAccount",
        "Account must be specified",
    ]) {
        error(lasting, format!("the object cannot be {what}: no credentials were found"))
            .hint("set them in the environment, a profile, or the settings")
    } else if matches!(e, StoreError::PermissionDenied { .. })
        || has(&["AccessDenied", "AuthorizationPermissionMismatch", "403 Forbidden"])
    {
        let permission = action.permission(cloud);
        error(lasting, format!("the object cannot be {what}: the permission {permission} is missing"))
            .hint(format!("give the credentials {permission} on the bucket and run the same command again"))
    } else if matches!(e, StoreError::Unauthenticated { .. }) {
        error(lasting, format!("the object cannot be {what}: the store wants credentials"))
            .hint("set them in the environment, a profile, or the settings")
    } else if has(&["RequestTimeTooSkewed"]) {
        error(lasting, format!("the object cannot be {what}: this machine's clock is wrong"))
            .hint("set the clock (a store takes requests of the last 15 minutes only) and run the same command again")
    } else if has(&["501 Not Implemented", "NotImplemented"]) {
        error(lasting, format!("the object cannot be {what}: the store does not know that request"))
            .hint("if it has no conditional puts, set conditional_put=disabled: two loaders at once are then told apart less surely")
    } else if has(&["redirect without LOCATION", "301 Moved", "PermanentRedirect"]) {
        elsewhere(error(lasting, format!("the object cannot be {what}: the bucket is in another region")))
    } else if matches!(e, StoreError::NotFound { .. }) {
        error(lasting, "the object is not there".to_owned())
    } else if matches!(e, StoreError::Generic { .. } | StoreError::JoinError { .. }) {
        error(ErrorKind::Unavailable, format!("the object cannot be {what} at the moment"))
            .hint("run the same command again; nothing is lost")
    } else {
        error(lasting, format!("the object cannot be {what}"))
    };
    made.source(words(&e))
}

fn elsewhere(error: Error) -> Error {
    error.hint("set region to the bucket's, and endpoint to the one of that region")
}

/// An error's text with those of its causes that it does not repeat, as it mostly does.
fn words(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = inner.source();
    }
    text
}

/// An error's text with those of its causes: the store's own code is in the innermost.
fn chain(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, is_missing: bool) -> Error {
        let source = text.to_owned().into();
        let e = match is_missing {
            true => StoreError::NotFound { path: "a/b".to_owned(), source },
            false => StoreError::Generic { store: "store", source },
        };
        from_store(e, Cloud::Azure, "box", "a/b", Action::Write, ErrorKind::Destination)
    }

    #[test]
    fn what_a_store_says_is_said_once() {
        let error = of("503 Slow Down", false);
        let causes = std::iter::successors(StdError::source(&error), |e| StdError::source(*e));
        let said: String = causes.map(|e| format!("{e}\n")).collect();
        assert_eq!(said.matches("503 Slow Down").count(), 1, "{said}");
    }

    #[test]
    fn answers_have_their_way_out() {
        for (text, is_missing, kind, hint) in [
            ("403 Forbidden: AuthorizationFailure", false, ErrorKind::Destination, "networking"),
            (
                "403: AuthenticationFailed: Signature not valid in the specified time frame",
                false,
                ErrorKind::Unavailable,
                "renew",
            ),
            ("404 Not Found: NoSuchUpload", true, ErrorKind::Unavailable, "run the same command again"),
            (
                "400: AuthorizationHeaderMalformed: wrong; expecting 'eu-west-1'",
                false,
                ErrorKind::Destination,
                "region",
            ),
            ("403: InvalidObjectState", false, ErrorKind::Destination, "archive"),
            ("403: AccessDenied: not authorized to perform: kms:Decrypt", false, ErrorKind::Destination, "kms:Decrypt"),
            ("501 Not Implemented: ", false, ErrorKind::Destination, "conditional_put=disabled"),
        ] {
            let error = of(text, is_missing);
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.hint_text().is_some_and(|h| h.contains(hint)), "{text}: {error}");
        }
    }
}
