//! What a key, a prefix or a pattern stands for in an object store.

use super::{Found, Remote};
use crate::input::has_known_ending;
use futures_util::TryStreamExt;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_object_store::{Action, Bucket, Unreadable, from_store, requests};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// Finds the objects, sorted by key: the one of that key; those below it, if it is a folder; those that match it, if it
/// is a pattern (`*` and `?` within one level, `**` across levels). `None` when there is none.
pub(in super::super) fn find(bucket: Bucket) -> Result<Option<Vec<Found>>> {
    let unreadable = Unreadable::default();
    let store = bucket.open_noting(&unreadable)?;
    let is_pattern = bucket.key.contains(['*', '?', '[']);
    if !is_pattern && !bucket.key.is_empty() && !bucket.key.ends_with('/') {
        match head(&bucket, &store) {
            Ok(Some(object)) => return Ok(Some(vec![found(&bucket, &store, object)])),
            Ok(None) => return below(&bucket, &store, &unreadable),
            // What was wrong with a request for the head alone no store says: an answer to HEAD has no body.
            Err(e) if says(&e, "400 Bad Request") => return below(&bucket, &store, &unreadable),
            Err(e) => return Err(e),
        }
    }
    if !is_pattern {
        return below(&bucket, &store, &unreadable);
    }
    // Brackets may be part of a name.
    if bucket.key.contains('[')
        && parse(&bucket.key).is_ok()
        && let Ok(Some(object)) = head(&bucket, &store)
    {
        return Ok(Some(vec![found(&bucket, &store, object)]));
    }
    let pattern = glob::Pattern::new(&bucket.key)
        .map_err(|e| Error::config(format!("'{bucket}' is no pattern: {}", e.msg.to_lowercase())))?;
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, case_sensitive: true };
    let literal = bucket.key.split(['*', '?', '[']).next().unwrap_or_default();
    let folder = literal.rsplit_once('/').map_or("", |(folder, _)| folder);
    let objects = list(&bucket, &store, folder)?;
    let matches = |key: &str| pattern.matches_with(key, options);
    refuse_unreadable(&bucket, &unreadable, matches)?;
    let matching = objects.into_iter().filter(|o| matches(o.location.as_ref()));
    Ok(some(matching.map(|o| found(&bucket, &store, o)).collect()))
}

fn below(bucket: &Bucket, store: &Arc<dyn ObjectStore>, unreadable: &Unreadable) -> Result<Option<Vec<Found>>> {
    let objects = list(bucket, store, &bucket.key)?;
    let is_known =
        |key: &str| !key.split('/').any(|part| part.starts_with('.')) && has_known_ending(&key.to_lowercase());
    refuse_unreadable(bucket, unreadable, is_known)?;
    let known = objects.into_iter().filter(|o| is_known(o.location.as_ref()));
    Ok(some(known.map(|o| found(bucket, store, o)).collect()))
}

/// An object that is meant and cannot be read is never passed over.
fn refuse_unreadable(bucket: &Bucket, unreadable: &Unreadable, is_meant: impl Fn(&str) -> bool) -> Result<()> {
    match unreadable.keys().into_iter().find(|key| is_meant(key)) {
        None => Ok(()),
        Some(key) => Err(Error::input("an object cannot be read for its name")
            .with("bucket", &bucket.name)
            .with("key", format!("{key:?}"))
            .hint("rename it, or leave it out by a narrower pattern: names with //, . or .. between slashes, a slash at an end, or control characters are not read")),
    }
}

fn says(error: &Error, words: &str) -> bool {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |e| e.source()).any(|e| e.to_string().contains(words))
}

fn some<T>(found: Vec<T>) -> Option<Vec<T>> {
    if found.is_empty() { None } else { Some(found) }
}

fn head(bucket: &Bucket, store: &Arc<dyn ObjectStore>) -> Result<Option<ObjectMeta>> {
    let (key, store) = (parse(&bucket.key)?, Arc::clone(store));
    match run(async move { store.head(&key).await })? {
        Ok(object) => Ok(Some(object)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(e) => Err(error(bucket, &bucket.key, Action::Read, e)),
    }
}

fn list(bucket: &Bucket, store: &Arc<dyn ObjectStore>, folder: &str) -> Result<Vec<ObjectMeta>> {
    let (prefix, store) = (parse(folder.trim_end_matches('/'))?, Arc::clone(store));
    let listed = run(async move { store.list(Some(&prefix)).try_collect::<Vec<_>>().await })?;
    let mut objects = listed.map_err(|e| error(bucket, folder, Action::List, e))?;
    objects.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(objects)
}

fn found(bucket: &Bucket, store: &Arc<dyn ObjectStore>, object: ObjectMeta) -> Found {
    Found {
        name: bucket.url(object.location.as_ref()),
        size: Some(object.size),
        changed: u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0),
        tag: object.e_tag,
        remote: Remote::Object { bucket: bucket.clone(), store: Arc::clone(store), key: object.location },
    }
}

fn parse(key: &str) -> Result<Key> {
    Key::parse(key).map_err(|e| Error::config("that is no name of an object").with("key", key).source(e))
}

pub(super) fn error(bucket: &Bucket, key: &str, action: Action, e: StoreError) -> Error {
    from_store(e, bucket.cloud, &bucket.name, key, action, ErrorKind::Input)
}

/// Runs requests on the threads for them, and waits.
pub(super) fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    let (send, receive) = std::sync::mpsc::channel();
    requests()?.spawn(async move {
        let _ = send.send(work.await); // nobody waits any more
    });
    receive.recv().map_err(|e| Error::internal("a request broke off").source(e))
}
