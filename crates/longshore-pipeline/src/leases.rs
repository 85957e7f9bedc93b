//! The leases of a run: taken before anything is read, renewed while it lasts, given back at its end.

use crate::lock::holder;
use crate::pipeline::{DestinationRef, Pipeline};
use crate::resume::{chain, runtime};
use longshore_core::error::{Error, ErrorKind, Result};
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest, Leases as Kind};
use longshore_core::package::Target;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// What clocks may differ by while one waits.
const GRACE: Duration = Duration::from_secs(1);
/// Between two looks at a lease that somebody else has.
const PAUSE: Duration = Duration::from_millis(250);

/// Leases of the pipeline in its destinations.
pub(crate) struct Leases {
    held: Arc<Vec<Box<dyn Lease>>>,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
    /// Destinations where it could not be taken, by number, and why. The fence protects their loads all the same.
    pub(crate) troubles: Vec<(usize, Error)>,
}

impl Leases {
    /// Waits for the leases of some datasets in all of the pipeline's destinations.
    ///
    /// # Errors
    /// `Busy` when another run keeps one of them longer than this one is patient.
    pub(crate) fn take(pipeline: &Pipeline, datasets: &[&str]) -> Result<Self> {
        let holder = holder(pipeline.store(), pipeline.name())?;
        let mut order: Vec<(usize, &DestinationRef)> = pipeline.destinations().iter().enumerate().collect();
        // The same order for all runs: none waits for one that waits for it.
        order.sort_by(|a, b| a.1.url.cmp(&b.1.url));
        order.dedup_by(|a, b| a.1.url == b.1.url);
        let (mut held, mut troubles) = (Vec::new(), Vec::new());
        let mut expiring = false;
        for (number, destination) in order {
            let kind = destination.destination.capabilities().leases;
            for dataset in datasets.iter().filter(|_| kind != Kind::None) {
                let target = Target { pipeline: pipeline.name().to_owned(), dataset: (*dataset).to_owned() };
                match wait_for(pipeline, destination, &target, &holder) {
                    Waited::Ours(lease) => held.push(lease),
                    Waited::InVain(e) => {
                        give_back(held);
                        return Err(e);
                    }
                    Waited::Failed(e) => troubles.push((number, e)),
                }
                expiring |= kind == Kind::Expiring;
            }
        }
        let held = Arc::new(held);
        let heart = expiring.then(|| beat(Arc::clone(&held), pipeline.lease_time() / 3)).flatten();
        Ok(Leases { held, heart, troubles })
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heart.take() {
            drop(stop);
            let _ = thread.join(); // it has nothing to say
        }
        if let Some(held) = Arc::get_mut(&mut self.held).map(std::mem::take) {
            give_back(held);
        }
    }
}

/// On a thread of its own, because a caller may be inside an asynchronous runtime.
fn give_back(held: Vec<Box<dyn Lease>>) {
    let give = move || {
        let Ok(runtime) = runtime() else { return };
        for lease in held {
            if let Err(e) = runtime.block_on(lease.release()) {
                debug!(error = %e, "a lease was not given back; it becomes free by itself");
            }
        }
    };
    let _ = thread::spawn(give).join();
}

/// Renews expiring leases until nobody holds the sender any more.
fn beat(held: Arc<Vec<Box<dyn Lease>>>, every: Duration) -> Option<(Sender<()>, JoinHandle<()>)> {
    let (stop, stopped) = channel();
    let beat = move || {
        let Ok(runtime) = runtime() else { return };
        while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
            for lease in held.iter() {
                if let Err(e) = runtime.block_on(lease.renew()) {
                    warn!("the lease of the pipeline could not be renewed: {}", chain(&e));
                }
            }
        }
    };
    let thread = thread::Builder::new().name("lease".into()).spawn(beat).ok()?;
    Some((stop, thread))
}

enum Waited {
    Ours(Box<dyn Lease>),
    /// Somebody else keeps it.
    InVain(Error),
    /// It cannot be asked for.
    Failed(Error),
}

fn wait_for(pipeline: &Pipeline, destination: &DestinationRef, target: &Target, holder: &Holder) -> Waited {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(e) => return Waited::Failed(e),
    };
    let request = LeaseRequest { target, holder, expires_after: pipeline.lease_time() };
    let patient_until = Instant::now() + pipeline.wait();
    let (mut has_said, mut lives) = (false, false);
    // When the lease is free if nobody renews it, as it was said first.
    let mut expires: Option<Instant> = None;
    loop {
        let (who, free_in) = match runtime.block_on(destination.destination.lease(&request)) {
            Ok(LeaseAnswer::Ours(lease)) => return Waited::Ours(lease),
            Ok(LeaseAnswer::Held { holder, free_in }) => (holder, free_in),
            Err(e) => return Waited::Failed(e),
        };
        if who.as_ref().is_some_and(|who| who.is_same(holder)) {
            return Waited::InVain(twice(pipeline, destination));
        }
        let now = Instant::now();
        let end = free_in.map(|left| now + left);
        expires = expires.or(end);
        lives |= matches!((expires, end), (Some(first), Some(end)) if end > first + GRACE);
        // The end of a holder that does not renew its lease is worth waiting for.
        let ends = expires.is_some_and(|end| !lives && end + GRACE > now) && !pipeline.wait().is_zero();
        if now >= patient_until && !ends {
            return Waited::InVain(in_vain(pipeline, destination, target, who, free_in));
        }
        if !has_said {
            has_said = true;
            let of = other_pipeline(who.as_ref(), target).unwrap_or(&target.pipeline);
            warn!("waiting for another run of pipeline {of}: {} ({})", name(who.as_ref()), destination.url);
        }
        thread::sleep(PAUSE);
    }
}

fn name(who: Option<&Holder>) -> String {
    who.map_or_else(|| "a process that does not say who it is".to_owned(), Holder::to_string)
}

fn in_vain(
    pipeline: &Pipeline,
    destination: &DestinationRef,
    target: &Target,
    who: Option<Holder>,
    free_in: Option<Duration>,
) -> Error {
    let left = free_in.map_or_else(String::new, |left| {
        format!("; if that process is dead, its place is free in {} seconds", left.as_secs() + 1)
    });
    let (of, way_out) = match other_pipeline(who.as_ref(), target) {
        Some(other) => (format!("the pipeline {other}"), ""),
        None => ("this pipeline".to_owned(), ", or give this run another --pipeline"),
    };
    Error::new(ErrorKind::Busy, format!("another run of {of} is under way: {}", name(who.as_ref())))
        .with("pipeline", pipeline.name())
        .with("dataset", &target.dataset)
        .with("destination", &destination.url)
        .hint(format!("wait for it to end, or be more patient with --wait 10m{way_out}{left}"))
}

/// The holder's pipeline where it is another one: some destinations take one run of whatever pipeline at a time.
fn other_pipeline<'a>(who: Option<&'a Holder>, target: &Target) -> Option<&'a str> {
    who.map(|who| who.pipeline.as_str()).filter(|other| !other.is_empty() && *other != target.pipeline)
}

/// This run has the lease already, by another name of the same place.
fn twice(pipeline: &Pipeline, destination: &DestinationRef) -> Error {
    let others = pipeline.destinations().iter().map(|d| d.url.as_str()).filter(|url| *url != destination.url);
    Error::config("the same destination is named twice, in other words")
        .with("destination", &destination.url)
        .with("others", others.collect::<Vec<_>>().join(", "))
        .hint("name each place once: a load goes there once")
}
