//! The stores' errors in Longshore's words.

use crate::credentials::Cloud;
use longshore_core::error::{Error, ErrorKind};
use object_store::Error as StoreError;
use std::error::Error as StdError;
use std::path::Path;

/// What was being done: each needs a permission of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    List,
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

/// Returns the error an answer of an object store stands for.
pub(crate) fn from_store(e: StoreError, cloud: Cloud, bucket: &str, key: &str, action: Action) -> Error {
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
    ];
    let made = if has(&expired) {
        // A provider brings new credentials for the next try; constant ones have to be changed.
        error(ErrorKind::Unavailable, format!("the object cannot be {what}: the credentials have expired"))
            .hint("renew them and run the same command again; nothing is lost")
    } else if has(&["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]) {
        error(ErrorKind::Destination, "there is no such bucket".to_owned())
            .hint("make it first: Longshore makes no buckets; and check the endpoint and region")
    } else if has(&[
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AuthorizationHeaderMalformed",
        "AuthenticationFailed",
    ]) {
        error(ErrorKind::Destination, format!("the object cannot be {what}: the store does not know these credentials"))
            .hint("check key, secret and region")
    } else if has(&[
        "token request",
        "169.254.169.254",
        "metadata.google.internal",
        "MissingAccount",
        "Account must be specified",
    ]) {
        error(ErrorKind::Destination, format!("the object cannot be {what}: no credentials were found"))
            .hint("set them in the environment, a profile, or the destination's settings")
    } else if matches!(e, StoreError::PermissionDenied { .. })
        || has(&["AccessDenied", "AuthorizationPermissionMismatch", "403 Forbidden"])
    {
        let permission = action.permission(cloud);
        error(ErrorKind::Destination, format!("the object cannot be {what}: the permission {permission} is missing"))
            .hint(format!("give the credentials {permission} on the bucket and run the same command again"))
    } else if matches!(e, StoreError::Unauthenticated { .. }) {
        error(ErrorKind::Destination, format!("the object cannot be {what}: the store wants credentials"))
            .hint("set them in the environment, a profile, or the destination's settings")
    } else if matches!(e, StoreError::NotFound { .. }) {
        error(ErrorKind::Destination, "the object is not there".to_owned())
    } else if matches!(e, StoreError::Generic { .. } | StoreError::JoinError { .. }) {
        error(ErrorKind::Unavailable, format!("the object cannot be {what} at the moment"))
            .hint("run the same command again; nothing is lost")
    } else {
        error(ErrorKind::Destination, format!("the object cannot be {what}"))
    };
    made.source(e)
}

/// Returns the error of a file or folder.
pub(crate) fn from_io(e: std::io::Error, path: &Path) -> Error {
    use std::io::ErrorKind as Io;
    let error = |text: &str| Error::destination(text).with("file", path.display());
    let made = match e.kind() {
        Io::PermissionDenied | Io::ReadOnlyFilesystem => {
            error("the folder cannot be written").hint("check the rights of the folder")
        }
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
            error("the disk is full, or a limit on file sizes is reached")
                .hint("make room and run the same command again")
        }
        Io::NotADirectory | Io::AlreadyExists => {
            error("a file stands where a folder is needed").hint("name another folder")
        }
        _ => error("the file cannot be read or written"),
    };
    made.source(e)
}

/// An error's text with those of its causes: the store's own code is in the innermost.
pub(crate) fn chain(e: &dyn StdError) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
