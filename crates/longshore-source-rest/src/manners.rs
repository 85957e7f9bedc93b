//! Manners towards a host: how many requests at once, how many in a time, and silence when it asks for silence.
//! One gate a host, for everything in the process.

mod headers;
mod pace;

pub(crate) use headers::{asked_to_wait, is_limit, used_up};

use pace::Pace;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit};

/// At most so many requests in any stretch of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: usize,
    pub(crate) window: Duration,
}

impl Rate {
    /// Reads `5000/h`, `100/min`, `10/s`, `30/10s`, `5000 per hour`.
    pub(crate) fn parse(text: &str) -> Result<Rate, String> {
        let wrong = || "not a rate".to_owned();
        let text = text.to_lowercase().replace(" per ", "/");
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = per.trim();
        let (number, unit) = per.split_at(per.find(|c: char| !c.is_ascii_digit()).unwrap_or(per.len()));
        let seconds = match unit.trim() {
            "s" | "sec" | "secs" | "second" | "seconds" => 1,
            "m" | "min" | "mins" | "minute" | "minutes" => 60,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| wrong())? };
        let count: usize = count.trim().replace([',', '_'], "").parse().map_err(|_| wrong())?;
        if count == 0 || number == 0 || number > 1000 {
            return Err(wrong());
        }
        Ok(Rate { count, window: Duration::from_secs(number * seconds) })
    }
}

/// The gate of one host.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Semaphore,
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    /// How many may pass at once, and whether somebody said so.
    places: usize,
    is_said: bool,
    /// Places that are to go as soon as those who hold them are done.
    owed: usize,
    limits: Vec<Limit>,
    silent_until: Option<Instant>,
    pace: Pace,
}

/// A rate, and when the last requests went out, as many as it counts.
#[derive(Debug)]
struct Limit {
    rate: Rate,
    sent: VecDeque<Instant>,
}

/// Requests to a host at once, where nobody says how many.
pub(crate) const AT_ONCE: usize = 8;

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// Returns the gate of a host. Of those who say how many may pass at once the smallest number holds, and all rates that are
/// named hold together.
pub(crate) fn gate(host: &str, at_once: Option<usize>, rate: Option<Rate>) -> Arc<Gate> {
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    let gate = gates.entry(host.to_owned()).or_insert_with(|| Arc::new(Gate::new()));
    let mut log = gate.log();
    if let Some(at_once) = at_once {
        gate.limit_places(&mut log, at_once.clamp(1, Semaphore::MAX_PERMITS / 2));
    }
    if let Some(rate) = rate {
        log.limit(rate);
    }
    drop(log);
    Arc::clone(gate)
}

impl Gate {
    fn new() -> Gate {
        let log = Log {
            places: AT_ONCE,
            is_said: false,
            owed: 0,
            limits: Vec::new(),
            silent_until: None,
            pace: Pace::default(),
        };
        Gate { places: Semaphore::new(AT_ONCE), log: Mutex::new(log) }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first who says how many decides, after that it becomes only less.
    fn limit_places(&self, log: &mut Log, at_once: usize) {
        if at_once > log.places && !log.is_said {
            self.places.add_permits(at_once - log.places);
            log.places = at_once;
        } else if at_once < log.places {
            let gone = log.places - at_once;
            log.owed += gone - self.places.forget_permits(gone);
            log.places = at_once;
        }
        log.is_said = true;
    }

    /// Waits until a request may go out; the place is held until the permit is dropped.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so there is always a permit.
        let mut place = self.places.acquire().await.ok();
        while self.log().takes_a_place() {
            place.take().into_iter().for_each(SemaphorePermit::forget);
            place = self.places.acquire().await.ok();
        }
        loop {
            let wait = self.log().wait(Instant::now());
            match wait {
                None => return place,
                Some(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// The host answered a request that went out at `sent`: `too_fast` where it refused it for that. `step` is the first
    /// step of the backoff.
    pub(crate) fn answered(&self, sent: Instant, too_fast: bool, step: Duration) {
        let (now, mut log) = (Instant::now(), self.log());
        log.limits.iter_mut().for_each(|limit| limit.arrived(sent, now));
        if too_fast { log.pace.refused(sent, now, step) } else { log.pace.answered(step) }
    }

    /// How many requests were answered, and not refused for coming too fast.
    pub(crate) fn good(&self) -> u64 {
        self.log().pace.good()
    }

    /// Nobody asks the host for that long.
    pub(crate) fn silence(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut log = self.log();
        log.silent_until = Some(log.silent_until.map_or(until, |old| old.max(until)));
    }
}

impl Limit {
    /// A request that went out at `sent` has been answered. It reached the host somewhere in between (a new connection takes
    /// its time), and the host counts from then: so it is counted late, as far as that costs little.
    fn arrived(&mut self, sent: Instant, now: Instant) {
        let late = now.duration_since(sent).min(self.rate.window / 20);
        if let Some(at) = self.sent.iter_mut().rev().find(|at| **at <= sent) {
            *at += late;
        }
    }

    /// How long until one more may go out.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let window = self.rate.window;
        while self.sent.front().is_some_and(|first| now.duration_since(*first) >= window) {
            self.sent.pop_front();
        }
        let first = self.sent.front().filter(|_| self.sent.len() >= self.rate.count)?;
        Some(window.saturating_sub(now.duration_since(*first)).max(Duration::from_millis(1)))
    }
}

impl Log {
    /// One more rate. What went out before counts for it, as far as it is known.
    fn limit(&mut self, rate: Rate) {
        if self.limits.iter().all(|limit| limit.rate != rate) {
            let longest = self.limits.iter().max_by_key(|limit| limit.sent.len());
            let sent = longest.map_or_else(VecDeque::new, |limit| limit.sent.clone());
            self.limits.push(Limit { rate, sent });
        }
    }

    /// True where a place that was to go goes now.
    fn takes_a_place(&mut self) -> bool {
        let is_owed = self.owed > 0;
        self.owed -= usize::from(is_owed);
        is_owed
    }

    /// Says how long to wait, or notes that a request goes out now.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        if let Some(rest) =
            self.silent_until.and_then(|until| until.checked_duration_since(now)).filter(|d| !d.is_zero())
        {
            return Some(rest);
        }
        if let Some(wait) = self.pace.wait(now) {
            return Some(wait);
        }
        if let Some(wait) = self.limits.iter_mut().filter_map(|limit| limit.wait(now)).max() {
            return Some(wait);
        }
        self.limits.iter_mut().for_each(|limit| limit.sent.push_back(now));
        self.pace.went(now);
        None
    }
}

/// Exponential, with jitter: between half of the step and all of it.
pub(crate) fn backoff(attempt: u32, factor: f64, longest: Duration) -> Duration {
    let step = factor * f64::from(2u32.saturating_pow(attempt.saturating_sub(1).min(20)));
    let jittered = step * (0.5 + fastrand::f64() / 2.0);
    Duration::from_secs_f64(jittered.min(longest.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!(Rate::parse("5000/h").unwrap(), Rate { count: 5000, window: Duration::from_secs(3600) });
        assert_eq!(Rate::parse("30/10s").unwrap(), Rate { count: 30, window: Duration::from_secs(10) });
        let hourly = Rate::parse("5000/h").unwrap();
        for same in ["5,000 / Hour", "5000/hours", "5000 per hour", "5000/hr", "5000/1h", "5000/60 minutes"] {
            assert_eq!(Rate::parse(same).unwrap(), hourly, "{same}");
        }
        for wrong in ["5000", "0/s", "x/s", "5/fortnight", "5/", "5/ms", "5/hs"] {
            assert!(Rate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn never_more_than_the_rate_in_any_window() {
        let gate = Gate::new();
        let mut log = gate.log();
        log.limit(Rate { count: 3, window: Duration::from_secs(1) });
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([log.wait(at(0)), log.wait(at(100)), log.wait(at(200))], [None; 3]);
        assert_eq!(log.wait(at(300)), Some(Duration::from_millis(700)));
        assert_eq!(log.wait(at(1000)), None);
        assert_eq!(log.wait(at(1001)), Some(Duration::from_millis(99)));
    }

    #[test]
    fn all_rates_of_a_host_hold_together() {
        let gate = Gate::new();
        let mut log = gate.log();
        log.limit(Rate::parse("2/s").unwrap());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([log.wait(at(0)), log.wait(at(10))], [None; 2]);
        // Fewer on the average, but more at once; what went out before is counted.
        log.limit(Rate::parse("3/10s").unwrap());
        assert_eq!(log.wait(at(20)), Some(Duration::from_millis(980)));
        assert_eq!(log.wait(at(1000)), None);
        assert_eq!(log.wait(at(1100)), Some(Duration::from_millis(8900)));
    }

    #[test]
    fn requests_count_from_when_they_may_have_arrived() {
        let gate = Gate::new();
        let mut log = gate.log();
        log.limit(Rate::parse("2/s").unwrap());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([log.wait(at(0)), log.wait(at(10))], [None; 2]);
        log.limits[0].arrived(at(10), at(30));
        log.limits[0].arrived(at(0), at(500));
        assert_eq!(log.wait(at(500)), Some(Duration::from_millis(550)));
        assert_eq!([log.wait(at(1050)), log.wait(at(1050))], [None; 2]);
    }

    #[tokio::test]
    async fn the_smallest_number_at_once_holds() {
        let host = "the-smallest.example:80";
        let enters = async |gate: &Arc<Gate>| {
            tokio::time::timeout(Duration::from_millis(50), gate.enter()).await.is_ok_and(|place| place.is_some())
        };
        // Nobody has said how many until the second does.
        let gate_of = |at_once| gate(host, at_once, None);
        let gate = gate_of(None);
        assert_eq!(gate_of(Some(10)).places.available_permits(), 10);
        let held = (gate.enter().await, gate.enter().await);
        gate_of(Some(1));
        gate_of(Some(5));
        assert!(!enters(&gate).await, "two are under way, one may be");
        drop(held);
        let one = gate.enter().await;
        assert!(!enters(&gate).await);
        drop(one);
        assert!(enters(&gate).await);
        assert!(gate_of(Some(usize::MAX)).enter().await.is_some());
    }
}
