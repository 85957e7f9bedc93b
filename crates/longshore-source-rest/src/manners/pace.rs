//! The distance between requests to a host that refused some for coming too fast. Without it all who wait would ask at
//! once when the wait is over, one would be answered, and the others would use up their attempts.

use std::time::{Duration, Instant};

/// Grows with each refusal, shrinks with each answer; from a tenth of the backoff's first step to all of it. What an API
/// wants beyond that, it says itself, or the backoff finds out.
#[derive(Debug, Default)]
pub(super) struct Pace {
    gap: Duration,
    last: Option<Instant>,
    refused: Option<Instant>,
    /// Requests that were answered otherwise.
    good: u64,
}

impl Pace {
    /// How long until the next request may go out.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        (self.last? + self.gap).checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// A request goes out.
    pub(super) fn went(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// A request that went out at `sent` was refused. Those that were under way together count once.
    pub(super) fn refused(&mut self, sent: Instant, now: Instant, step: Duration) {
        if self.refused.is_none_or(|before| sent > before) {
            self.gap = (self.gap * 2).clamp(step / 10, step);
            self.refused = Some(now);
        }
    }

    /// A request was answered.
    pub(super) fn answered(&mut self, step: Duration) {
        self.good += 1;
        self.gap = if self.gap > step / 100 { self.gap * 7 / 8 } else { Duration::ZERO };
    }

    pub(super) fn good(&self) -> u64 {
        self.good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_apart_after_a_refusal_until_all_goes_well() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        pace.went(at(0));
        assert_eq!(pace.wait(at(0)), None);
        // Three that were under way together.
        let step = Duration::from_secs(1);
        (0..3).for_each(|_| pace.refused(at(0), at(5), step));
        assert_eq!(pace.wait(at(5)), Some(Duration::from_millis(95)));
        assert_eq!(pace.wait(at(100)), None);
        pace.went(at(100));
        pace.refused(at(100), at(105), step);
        assert_eq!(pace.wait(at(105)), Some(Duration::from_millis(195)));
        (0..60).for_each(|_| pace.answered(step));
        assert_eq!((pace.wait(at(105)), pace.good()), (None, 60));
        // Refusals that have nothing to do with the pace do not stop everything.
        (0..60).for_each(|ms| pace.refused(at(200 + 2 * ms), at(201 + 2 * ms), step));
        pace.went(at(400));
        assert_eq!(pace.wait(at(400)), Some(step));
    }
}
