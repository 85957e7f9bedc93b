//! What a key, a prefix or a pattern stands for in an object store.

use super::{Found, Remote};
use crate::input::has_known_ending;
use futures_util::TryStreamExt;
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_object_store::{Action, Bucket, from_store, requests};
use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// Finds the objects, sorted by key: the one of that key; those below it, if it is a folder; those that match it, if it
/// is a pattern (`*` and `?` within one level, `**` across levels). `None` when there is none.
pub(in super::super) fn find(bucket: Bucket) -> Result<Option<Vec<Found>>> {
    let store = bucket.open()?;
    let is_pattern = bucket.key.contains(['*', '?', '[']);
    if !is_pattern && !bucket.key.is_empty() && !bucket.key.ends_with('/') {
        match head(&bucket, &store)? {
            Some(object) => return Ok(Some(vec![found(&bucket, &store, object)])),
            None => return below(&bucket, &store, &bucket.key),
        }
    }
    if !is_pattern {
        return below(&bucket, &store, &bucket.key);
    }
    let pattern = glob::Pattern::new(&bucket.key)
        .map_err(|e| Error::config(format!("'{bucket}' is no pattern: {}", e.msg.to_lowercase())))?;
    let options =
        glob::MatchOptions { require_literal_leading_dot: true, require_literal_separator: true, case_sensitive: true };
    let literal = bucket.key.split(['*', '?', '[']).next().unwrap_or_default();
    let folder = literal.rsplit_once('/').map_or("", |(folder, _)| folder);
    let objects = list(&bucket, &store, folder)?;
    let matching = objects.into_iter().filter(|o| pattern.matches_with(o.location.as_ref(), options));
    Ok(some(matching.map(|o| found(&bucket, &store, o)).collect()))
}

fn below(bucket: &Bucket, store: &Arc<dyn ObjectStore>, folder: &str) -> Result<Option<Vec<Found>>> {
    let objects = list(bucket, store, folder)?;
    let hidden = |o: &ObjectMeta| o.location.parts().any(|p| p.as_ref().starts_with('.'));
    let known = objects.into_iter().filter(|o| !hidden(o) && has_known_ending(&o.location.as_ref().to_lowercase()));
    Ok(some(known.map(|o| found(bucket, store, o)).collect()))
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
    // Stores show folders that were made by hand as empty objects.
    objects.retain(|o| o.size > 0 || !o.location.as_ref().ends_with('/'));
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
