//! Taking turns: of the runs of one pipeline into one dataset, one at a time.
//!
//! A [`Lease`] keeps a second run waiting before it reads anything. It may be lost (a machine that slept, a clock that
//! is wrong), so nothing depends on it: the [`Fence`] is checked inside the commit, and refuses a load whose pipeline
//! has loaded something else meanwhile.

use crate::error::{Error, Result};
use crate::package::{LoadId, Target};
use crate::values::iso_timestamp::format_iso;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Which of the pipeline's loads may stand in the dataset when another one commits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fence {
    /// Any: the load is brought there whatever came before it.
    #[default]
    Open,
    /// None that is newer than this one, which the load went on from; with `None` none at all.
    After(Option<LoadId>),
}

impl Fence {
    /// Returns true when every load may stand there.
    pub fn is_open(&self) -> bool {
        *self == Fence::Open
    }

    /// Returns the fence that lets this load stand there too: one of the same working folder.
    #[must_use]
    pub fn and(self, own: Option<&LoadId>) -> Self {
        match self {
            Fence::Open => Fence::Open,
            Fence::After(known) => Fence::After(known.max(own.cloned())),
        }
    }

    /// Returns the newest load that may stand there, or `None` where any may.
    pub fn after(&self) -> Option<Option<&LoadId>> {
        match self {
            Fence::Open => None,
            Fence::After(known) => Some(known.as_ref()),
        }
    }

    /// Checks the newest load of the pipeline that stands in the dataset, inside the commit.
    ///
    /// # Errors
    /// When it is one that the load knows nothing of.
    pub fn check(&self, newest: Option<&LoadId>, target: &Target) -> Result<()> {
        match self {
            Fence::After(known) if newest > known.as_ref() => Err(self.overtaken(newest, target)),
            _ => Ok(()),
        }
    }

    /// Returns the error of a load that another run was faster than.
    pub fn overtaken(&self, newest: Option<&LoadId>, target: &Target) -> Error {
        let pipeline = &target.pipeline;
        let load = newest.map_or_else(String::new, |id| format!(" (load {id})"));
        let from = match self {
            Fence::After(Some(known)) => format!("load {known}"),
            _ => "an empty dataset".to_owned(),
        };
        let message = format!("another run of the pipeline has loaded meanwhile{load}; this load went on from {from}");
        Error::destination(message).with("pipeline", pipeline).with("dataset", &target.dataset).hint(format!(
            "nothing of it was loaded there, and its package waits: give it up with 'longshore pipeline {pipeline} \
             drop-package' and run again, which goes on from what stands there now; or load it all the same with \
             'longshore pipeline {pipeline} retry --force'"
        ))
    }
}

/// How a destination keeps leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leases {
    /// Not at all: of two runs at once, the second is refused at its commit.
    None,
    /// A lease ends with the session (or the process) of its holder.
    Session,
    /// A lease has to be renewed, and is free when it was not for a while.
    Expiring,
}

/// Who has a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Stands for the run.
    pub run: String,
    /// Stands for its working folder, in which there is one run at a time: what an earlier one of the same folder
    /// holds, nobody holds any more.
    pub folder: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub process: u32,
    /// When the run began, in microseconds since 1970.
    pub since: u64,
    /// The pipeline it runs; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pipeline: String,
}

impl Holder {
    /// Returns true when both are one run, as far as a destination keeps who it is.
    pub fn is_same(&self, other: &Holder) -> bool {
        if !self.run.is_empty() && !other.run.is_empty() {
            return self.run == other.run;
        }
        let seconds = |h: &Holder| h.since / 1_000_000;
        // A name may be cut.
        let one_host = self.host.starts_with(&other.host) || other.host.starts_with(&self.host);
        self.process == other.process && seconds(self) == seconds(other) && one_host
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = format_iso(i64::try_from(self.since).unwrap_or_default());
        write!(f, "process {} on {}, since {since}", self.process, self.host)
    }
}

/// What a lease is asked for with.
#[derive(Debug, Clone, Copy)]
pub struct LeaseRequest<'a> {
    /// Pipeline and dataset.
    pub target: &'a Target,
    /// Who asks.
    pub holder: &'a Holder,
    /// After how long without renewal it is free again, where leases are [`Leases::Expiring`].
    pub expires_after: Duration,
}

/// The answer.
pub enum LeaseAnswer {
    /// It is the asker's.
    Ours(Box<dyn Lease>),
    /// Somebody else has it.
    Held {
        /// Who, where that is known.
        holder: Option<Holder>,
        /// In how long it is free, if it is not renewed.
        free_in: Option<Duration>,
    },
}

/// A lease that is held; dropping it gives it back as far as a destructor can.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Says that the holder lives.
    ///
    /// # Errors
    /// When that cannot be said, or somebody else has the lease.
    async fn renew(&self) -> Result<()> {
        Ok(())
    }

    /// Gives it back.
    ///
    /// # Errors
    /// When that cannot be said; it becomes free by itself then.
    async fn release(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// The lease of a destination that keeps none.
#[derive(Debug, Clone, Copy)]
pub struct NoLease;

impl Lease for NoLease {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::SystemColumns::{Dlt, Native};

    #[test]
    fn a_fence_lets_nothing_stand_that_is_newer_than_what_was_known() {
        let target = Target { pipeline: "p".into(), dataset: "d".into() };
        let id = |n: u64| LoadId::from_micros(n, Native);
        let passes = |fence: &Fence, newest: Option<u64>| fence.check(newest.map(id).as_ref(), &target).is_ok();
        let after = Fence::After(Some(id(5)));
        assert!(passes(&after, None) && passes(&after, Some(4)) && passes(&after, Some(5)) && !passes(&after, Some(6)));
        assert!(after.check(Some(&LoadId::from_micros(6, Dlt)), &target).is_err());
        let empty = Fence::After(None);
        assert!(passes(&empty, None) && !passes(&empty, Some(1)));
        assert!(passes(&Fence::Open, Some(1)));
        assert!(passes(&after.clone().and(Some(&id(7))), Some(7)) && passes(&after.and(Some(&id(3))), Some(5)));
        assert!(!passes(&empty.and(None), Some(1)));
    }

    #[test]
    fn a_package_without_a_fence_is_one_of_an_older_version() {
        assert_eq!(serde_json::to_string(&Fence::After(None)).unwrap(), r#"{"after":null}"#);
        assert_eq!(serde_json::from_str::<Fence>(r#"{"after":"5"}"#).unwrap().after().flatten().unwrap().as_str(), "5");
        assert!(Fence::default().is_open());
    }
}
