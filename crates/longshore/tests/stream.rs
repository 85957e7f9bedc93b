//! Loading asynchronous streams, and loading from inside a runtime.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, rows};
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Yields its items one by one, with a pause before every hundredth.
struct Slowly<I>(I, u32);

impl<I: Iterator + Unpin> Stream for Slowly<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        self.1 += 1;
        if self.1.is_multiple_of(100) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.next())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_stream_is_loaded_in_order() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let report = runtime().block_on(pipeline.load_stream(Slowly(0..200_000u64, 0))).unwrap();
    assert_eq!(report.counts.read, 200_000);
    assert!(rows(&pipeline, "t").iter().enumerate().all(|(i, row)| *row == format!("value={i}")));
}

#[test]
fn a_stream_that_fails_loads_nothing() {
    let place = Place::new();
    let pipeline = place.pipeline();
    let records = (0..100_000).map(|n| if n == 99_999 { Err("the socket closed") } else { Ok(n) });
    let error = runtime().block_on(pipeline.try_load_stream(Slowly(records, 0))).unwrap_err();
    assert!(std::error::Error::source(&error).is_some_and(|e| e.to_string().contains("the socket closed")));
    assert!(pipeline.tables().unwrap().is_empty());
}

#[test]
fn a_future_that_is_dropped_loads_nothing() {
    let place = Place::new();
    let pipeline = place.pipeline();
    runtime().block_on(async {
        let endless = pipeline.load_stream(Slowly(0u64.., 0));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(300), endless).await.is_err());
    });
    // The next load waits for the abandoned one to let go, and finds nothing of it.
    let report = pipeline.load_records([1, 2]).unwrap();
    assert_eq!(report.counts.read, 2);
    assert_eq!(rows(&pipeline, "t"), ["value=1", "value=2"]);
}

#[test]
fn blocking_methods_work_on_a_runtimes_thread() {
    let place = Place::new();
    let pipeline = place.pipeline();
    runtime().block_on(async {
        pipeline.load_records([1, 2, 3]).unwrap();
        assert_eq!(pipeline.query("SELECT * FROM t").unwrap()[0].num_rows(), 3);
    });
}
