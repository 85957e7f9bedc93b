//! What a server says of its limits and of when to ask again, in the forms there are.

use longshore_core::values::iso_timestamp::parse_timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long the server asks to wait, by `Retry-After`, or by when its limit begins anew.
pub(crate) fn asked_to_wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let now = server_time(headers, now);
    if let Some(wait) = text(headers, "retry-after").and_then(|text| until(text, now)) {
        return Some(wait);
    }
    // Many say with each answer when their limit begins anew; while something is left of it, that is no wait.
    if left(headers).is_some_and(|left| left > 0.0) { None } else { until_reset(headers, now) }
}

/// True for a refusal because requests came too fast. GitHub and others say 403 and that nothing is left.
pub(crate) fn is_limit(status: StatusCode, headers: &HeaderMap) -> bool {
    let is_said = || headers.contains_key("retry-after") || left(headers).is_some_and(|left| left <= 0.0);
    status == StatusCode::TOO_MANY_REQUESTS || (status == StatusCode::FORBIDDEN && is_said())
}

/// How long until a limit that is used up begins anew; `None` while something is left of it.
pub(crate) fn used_up(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if left(headers)? > 0.0 { None } else { until_reset(headers, server_time(headers, now)) }
}

/// The server's own time, by which it says moments. A clock that is a day away is broken, or the header is of a cache.
fn server_time(headers: &HeaderMap, now: SystemTime) -> SystemTime {
    const DAY: Duration = Duration::from_secs(86_400);
    let said = text(headers, "date").and_then(|text| httpdate::parse_http_date(text.trim()).ok());
    let is_near = |said: &SystemTime| {
        said.duration_since(now).or_else(|_| now.duration_since(*said)).is_ok_and(|apart| apart < DAY)
    };
    said.filter(is_near).unwrap_or(now)
}

/// What is left of a limit.
fn left(headers: &HeaderMap) -> Option<f64> {
    let named = ["ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining"];
    let named = named.iter().find_map(|name| number(text(headers, name)?));
    named.or_else(|| limits(headers).into_iter().filter_map(|limit| limit.left).min_by(f64::total_cmp))
}

fn until_reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let names = ["ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset"];
    let named = names.iter().find_map(|name| until(text(headers, name)?, now));
    let empty = || limits(headers).into_iter().filter(|limit| limit.left.is_none_or(|left| left <= 0.0));
    named.or_else(|| empty().filter_map(|limit| limit.reset).max())
}

/// How long until a moment, or so many seconds. Large numbers are moments: seconds since 1970, or thousandths and smaller.
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let since_1970 = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let wait = match number(text) {
        Some(n) if n > 1e17 => n / 1e9 - since_1970,
        Some(n) if n > 1e14 => n / 1e6 - since_1970,
        Some(n) if n > 1e11 => n / 1e3 - since_1970,
        Some(n) if n > 1e8 => n - since_1970,
        Some(n) => n,
        None => moment(text.trim())? - since_1970,
    };
    Some(Duration::from_secs_f64(wait.clamp(0.0, 1e6)))
}

/// Seconds since 1970 of a date of HTTP's or ISO's.
fn moment(text: &str) -> Option<f64> {
    let http = httpdate::parse_http_date(text).ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let iso = || parse_timestamp(text).filter(|_| text.contains('-')).map(|micros| micros as f64 / 1e6);
    http.map(|since| since.as_secs_f64()).or_else(iso)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn number(text: &str) -> Option<f64> {
    text.split([',', ';']).next()?.trim().parse().ok().filter(|n: &f64| n.is_finite())
}

#[derive(Debug, Default)]
struct Limit {
    left: Option<f64>,
    reset: Option<Duration>,
}

/// The limits of the `RateLimit` header: one in its older form (`remaining=0, reset=5`), any number in its newer one
/// (`"burst";r=0;t=5, "daily";r=9;t=60`).
fn limits(headers: &HeaderMap) -> Vec<Limit> {
    let (mut found, mut older) = (Vec::new(), Limit::default());
    let lines = headers.get_all("ratelimit").iter().filter_map(|line| line.to_str().ok());
    for item in lines.flat_map(|line| parts(line, ',')) {
        let mut newer = Limit::default();
        for (name, value) in parts(item, ';').filter_map(|part| part.trim().split_once('=')) {
            let Some(value) = number(value) else { continue };
            let seconds = || Some(Duration::from_secs_f64(value.clamp(0.0, 1e6)));
            match name {
                "r" => newer.left = Some(value),
                "t" => newer.reset = seconds(),
                "remaining" => older.left = Some(value),
                "reset" => older.reset = seconds(),
                _ => {}
            }
        }
        found.push(newer);
    }
    found.push(older);
    found.retain(|limit| limit.left.is_some() || limit.reset.is_some());
    found
}

/// Parts of a header; what stands in quotation marks is one.
fn parts(text: &str, between: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == between && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn servers_say_in_many_ways_how_long_to_wait() {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        for (name, value, wait) in [
            ("retry-after", "7", Some(7.0)),
            ("retry-after", "1.5", Some(1.5)),
            ("retry-after", "-7", Some(0.0)),
            ("retry-after", "Tue, 14 Nov 2023 22:13:30 GMT", Some(10.0)),
            ("retry-after", "2023-11-14T22:13:30Z", Some(10.0)),
            ("retry-after", "1700000005", Some(5.0)),
            ("retry-after", "nan", None),
            ("retry-after", "inf", None),
            ("retry-after", "soon", None),
            ("retry-after", "", None),
            ("x-ratelimit-reset", "1700000005", Some(5.0)),
            ("x-ratelimit-reset", "1700000005000", Some(5.0)),
            ("x-ratelimit-reset", "1700000005000000", Some(5.0)),
            ("x-ratelimit-reset", "2023-11-14T22:13:25+00:00", Some(5.0)),
            ("x-ratelimit-reset", "1600000005", Some(0.0)),
            ("ratelimit-reset", "30", Some(30.0)),
            ("ratelimit", "limit=100, remaining=0, reset=9", Some(9.0)),
            ("ratelimit", "\"default\";r=0;t=8", Some(8.0)),
            ("ratelimit", "\"burst\";r=5;t=60, \"daily\";r=0;t=8", Some(8.0)),
            ("ratelimit", "\"burst\"; r=0; t=1, \"daily\"; r=0; t=8", Some(8.0)),
            ("ratelimit", "\"a,b=1;r=7\";r=0;t=8", Some(8.0)),
            ("ratelimit", "\"burst\";r=5;t=60, \"daily\";r=9;t=8", None),
            ("server", "x", None),
        ] {
            let asked = asked_to_wait(&headers(&[(name, value)]), now).map(|d| d.as_secs_f64());
            assert_eq!(asked, wait, "{name}: {value}");
        }
        let two = headers(&[("ratelimit", "\"burst\";r=5;t=60"), ("ratelimit", "\"daily\";r=0;t=8")]);
        assert_eq!(used_up(&two, now), Some(Duration::from_secs(8)));
    }

    #[test]
    fn a_reset_is_no_wait_while_something_is_left() {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        let reset = ("x-ratelimit-reset", "5");
        let some = headers(&[reset, ("x-ratelimit-remaining", "1")]);
        assert_eq!((used_up(&some, now), asked_to_wait(&some, now)), (None, None));
        assert!(!is_limit(StatusCode::FORBIDDEN, &some) && is_limit(StatusCode::TOO_MANY_REQUESTS, &some));
        let none = headers(&[reset, ("x-ratelimit-remaining", "0")]);
        assert_eq!(used_up(&none, now), Some(Duration::from_secs(5)));
        assert!(is_limit(StatusCode::FORBIDDEN, &none) && !is_limit(StatusCode::BAD_GATEWAY, &none));
    }

    /// Moments are of the server's clock, which may go differently.
    #[test]
    fn moments_are_held_against_the_servers_clock() {
        let now = UNIX_EPOCH + Duration::from_secs(NOW);
        let asked = |date: &str, retry: &str| {
            asked_to_wait(&headers(&[("date", date), ("retry-after", retry)]), now).map(|d| d.as_secs())
        };
        assert_eq!(asked("Tue, 14 Nov 2023 23:13:20 GMT", "Tue, 14 Nov 2023 23:13:23 GMT"), Some(3));
        assert_eq!(asked("Tue, 14 Nov 2023 21:13:20 GMT", "Tue, 14 Nov 2023 21:13:23 GMT"), Some(3));
        assert_eq!(asked("Thu, 01 Jan 1970 00:00:00 GMT", "Tue, 14 Nov 2023 22:13:23 GMT"), Some(3));
    }
}
