//! Manners towards a host: how many requests at once, how many in a time, and silence when it asks for silence.
//! One gate a host, for everything in the process.

mod pace;

use pace::Pace;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{Semaphore, SemaphorePermit};

/// At most so many requests in any stretch of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: usize,
    pub(crate) window: Duration,
}

impl Rate {
    /// Reads `5000/h`, `100/min`, `10/s`, `30/10s`.
    pub(crate) fn parse(text: &str) -> Result<Rate, String> {
        let wrong = || "not a rate".to_owned();
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let per = per.trim();
        let (number, unit) = per.split_at(per.find(|c: char| !c.is_ascii_digit()).unwrap_or(per.len()));
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1,
            "m" | "min" | "minute" => 60,
            "h" | "hour" => 3600,
            "d" | "day" => 86_400,
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

#[derive(Debug, Default)]
struct Log {
    rate: Option<Rate>,
    /// When the last requests went out, as many as the rate counts.
    sent: VecDeque<Instant>,
    silent_until: Option<Instant>,
    pace: Pace,
}

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// Returns the gate of a host. The first to ask decides how many may pass at once, the strictest rate holds.
pub(crate) fn gate(host: &str, at_once: usize, rate: Option<Rate>) -> Arc<Gate> {
    let mut gates = GATES.lock().unwrap_or_else(PoisonError::into_inner);
    let gate = gates
        .entry(host.to_owned())
        .or_insert_with(|| Arc::new(Gate { places: Semaphore::new(at_once.max(1)), log: Mutex::default() }));
    if let Some(new) = rate {
        let mut log = gate.log();
        let speed = |r: Rate| r.count as f64 / r.window.as_secs_f64();
        if log.rate.is_none_or(|old| speed(new) < speed(old)) {
            log.rate = Some(new);
        }
    }
    Arc::clone(gate)
}

impl Gate {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a request may go out; the place is held until the permit is dropped.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so there is always a permit.
        let place = self.places.acquire().await.ok();
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
        let mut log = self.log();
        if too_fast { log.pace.refused(sent, Instant::now(), step) } else { log.pace.answered(step) }
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

impl Log {
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
        if let Some(rate) = self.rate {
            while self.sent.front().is_some_and(|first| now.duration_since(*first) >= rate.window) {
                self.sent.pop_front();
            }
            if let Some(first) = self.sent.front().filter(|_| self.sent.len() >= rate.count) {
                return Some(rate.window.saturating_sub(now.duration_since(*first)).max(Duration::from_millis(1)));
            }
            self.sent.push_back(now);
        }
        self.pace.went(now);
        None
    }
}

/// How long the server asks to wait, by `Retry-After`, or by when its limit begins anew.
pub(crate) fn asked_to_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if let Some(text) = text(headers, "retry-after") {
        if let Ok(seconds) = text.trim().parse::<f64>() {
            return Some(Duration::from_secs_f64(seconds.clamp(0.0, 1e6)));
        }
        if let Ok(date) = httpdate::parse_http_date(text.trim()) {
            return Some(date.duration_since(now).unwrap_or_default());
        }
    }
    // Many say with each answer when their limit begins anew; while something is left of it, that is no wait.
    if left(headers).is_some_and(|left| left > 0.0) { None } else { until_reset(headers, now) }
}

/// True for a refusal because requests came too fast. GitHub and others say 403 and that nothing is left.
pub(crate) fn is_limit(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_said = || headers.contains_key("retry-after") || left(headers).is_some_and(|left| left <= 0.0);
    status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && is_said())
}

/// What is left of a limit.
fn left(headers: &HeaderMap) -> Option<f64> {
    ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"]
        .iter()
        .find_map(|n| number(headers, n))
        .or_else(|| parameter(headers, &["remaining", "r"]))
}

/// How long until a limit that is used up begins anew; `None` while something is left of it.
pub(crate) fn used_up(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if left(headers)? > 0.0 { None } else { until_reset(headers, now) }
}

fn until_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let names = ["ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset"];
    let seconds = names.iter().find_map(|n| number(headers, n)).or_else(|| parameter(headers, &["reset", "t"]))?;
    // Large numbers are moments, in seconds or milliseconds since 1970; small ones are seconds from now.
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let wait = match seconds {
        s if s > 1e11 => s / 1e3 - since_1970,
        s if s > 1e8 => s - since_1970,
        s => s,
    };
    Some(Duration::from_secs_f64(wait.clamp(0.0, 1e6)))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    text(headers, name)?.split([',', ';']).next()?.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

/// A parameter of the `RateLimit` header, in its older (`remaining=0, reset=5`) or newer form (`"default";r=0;t=5`).
fn parameter(headers: &HeaderMap, names: &[&str]) -> Option<f64> {
    let parts = text(headers, "ratelimit")?.split([',', ';']);
    let mut pairs = parts.filter_map(|part| part.trim().split_once('='));
    pairs.find(|(name, _)| names.contains(name)).and_then(|(_, value)| value.trim().parse().ok())
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
        for wrong in ["5000", "0/s", "x/s", "5/fortnight", "5/"] {
            assert!(Rate::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn never_more_than_the_rate_in_any_window() {
        let mut log = Log { rate: Some(Rate { count: 3, window: Duration::from_secs(1) }), ..Log::default() };
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!([log.wait(at(0)), log.wait(at(100)), log.wait(at(200))], [None; 3]);
        assert_eq!(log.wait(at(300)), Some(Duration::from_millis(700)));
        assert_eq!(log.wait(at(1000)), None);
        assert_eq!(log.wait(at(1001)), Some(Duration::from_millis(99)));
    }

    #[test]
    fn servers_say_in_many_ways_how_long_to_wait() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            asked_to_wait(&headers, now).map(|d| d.as_secs_f64())
        };
        assert_eq!(wait("retry-after", "7"), Some(7.0));
        assert_eq!(wait("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT"), Some(10.0));
        assert_eq!(wait("x-ratelimit-reset", "1700000005"), Some(5.0));
        assert_eq!(wait("x-ratelimit-reset", "1700000005000"), Some(5.0));
        assert_eq!(wait("ratelimit-reset", "30"), Some(30.0));
        assert_eq!(wait("ratelimit", "limit=100, remaining=0, reset=9"), Some(9.0));
        assert_eq!(wait("ratelimit", "\"default\";r=0;t=8"), Some(8.0));
        assert_eq!(wait("server", "x"), None);
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-reset", "5".parse().unwrap());
        headers.insert("x-ratelimit-remaining", "1".parse().unwrap());
        assert_eq!((used_up(&headers, now), asked_to_wait(&headers, now)), (None, None));
        assert!(!is_limit(StatusCode::FORBIDDEN, &headers) && is_limit(StatusCode::TOO_MANY_REQUESTS, &headers));
        headers.insert("x-ratelimit-remaining", "0".parse().unwrap());
        assert_eq!(used_up(&headers, now), Some(Duration::from_secs(5)));
        assert!(is_limit(StatusCode::FORBIDDEN, &headers) && !is_limit(StatusCode::BAD_GATEWAY, &headers));
    }
}
