//! Cookies that an API sets, as sessions and load balancers need them: sent back to the host that set them, until the run
//! ends.

use super::host;
use reqwest::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use url::Url;

/// Cookies by host.
#[derive(Debug, Default)]
pub(super) struct Cookies(Mutex<HashMap<String, Vec<Cookie>>>);

#[derive(Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
}

/// An API that gives another name to each cookie would fill the memory.
const MOST: usize = 50;

impl Cookies {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Vec<Cookie>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what an answer sets, and drops what it takes back.
    pub(super) fn keep(&self, url: &Url, headers: &HeaderMap) {
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            let Some((cookie, is_over)) = parse(url, line) else { continue };
            let mut all = self.all();
            let kept = all.entry(host(url)).or_default();
            kept.retain(|old| old.name != cookie.name || old.path != cookie.path);
            if !is_over {
                if kept.len() >= MOST {
                    kept.remove(0);
                }
                kept.push(cookie);
            }
        }
    }

    /// Adds to a request what its host has set; what the configuration says of a cookie counts more.
    pub(super) fn add_to(&self, url: &Url, headers: &mut HeaderMap) {
        let all = self.all();
        let Some(kept) = all.get(&host(url)) else { return };
        if headers.get_all(COOKIE).iter().any(|line| line.to_str().is_err()) {
            return; // what cannot be read cannot be added to
        }
        let mut pairs: Vec<String> = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';').map(|pair| pair.trim().to_owned()))
            .collect();
        let given: Vec<String> = pairs.iter().map(|pair| name(pair).to_owned()).collect();
        let fits = |cookie: &&Cookie| {
            !given.contains(&cookie.name)
                && is_below(&cookie.path, url.path())
                && (!cookie.secure || url.scheme() == "https")
        };
        pairs.extend(kept.iter().filter(fits).map(|cookie| format!("{}={}", cookie.name, cookie.value)));
        if let Ok(mut value) = HeaderValue::from_str(&pairs.join("; "))
            && !pairs.is_empty()
        {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }
}

fn name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name).trim()
}

/// A line of `Set-Cookie`, and whether it takes the cookie back.
fn parse(url: &Url, line: &str) -> Option<(Cookie, bool)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    let usual = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = if usual.is_empty() { "/" } else { usual }.to_owned();
    let mut cookie = Cookie { name: name.trim().to_owned(), value: value.trim().to_owned(), path, secure: false };
    let (mut age, mut expires) = (None, None);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_lowercase().as_str() {
            "path" if value.trim().starts_with('/') => cookie.path = value.trim().to_owned(),
            "secure" => cookie.secure = true,
            "max-age" => age = value.trim().parse::<i64>().ok(),
            "expires" => expires = httpdate::parse_http_date(&value.trim().replace('-', " ")).ok(),
            _ => {}
        }
    }
    let is_over = match (age, expires) {
        (Some(age), _) => age <= 0,
        (None, Some(expires)) => expires <= SystemTime::now(),
        (None, None) => false,
    };
    (!cookie.name.is_empty()).then_some((cookie, is_over))
}

fn is_below(folder: &str, path: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || folder.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn sent(cookies: &Cookies, to: &str, given: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        given.map(|given| headers.insert(COOKIE, given.parse().unwrap()));
        cookies.add_to(&url(to), &mut headers);
        headers.get(COOKIE).map(|value| value.to_str().unwrap().to_owned())
    }

    fn set(cookies: &Cookies, by: &str, line: &str) {
        cookies.keep(&url(by), &HeaderMap::from_iter([(SET_COOKIE, line.parse().unwrap())]));
    }

    #[test]
    fn cookies_go_back_to_whoever_set_them() {
        let cookies = Cookies::default();
        let api = "https://api.example.com/v1/things";
        assert_eq!(sent(&cookies, api, None), None);
        set(&cookies, api, "session=a; Path=/; HttpOnly; SameSite=Lax");
        set(&cookies, api, "lb=1");
        set(&cookies, api, "deep=1; Path=/v1/things/deep");
        set(&cookies, api, "safe=1; Secure; Path=/");
        assert_eq!(sent(&cookies, api, None).as_deref(), Some("session=a; lb=1; safe=1"));
        assert_eq!(sent(&cookies, "https://api.example.com/v10/x", None).as_deref(), Some("session=a; safe=1"));
        for other in ["https://example.com/v1", "http://api.example.com/v1", "https://api.example.com:8443/v1"] {
            assert_eq!(sent(&cookies, other, None), None, "{other}");
        }
        set(&cookies, api, "session=b; Path=/");
        assert_eq!(sent(&cookies, api, Some("lb=mine; k=v")).as_deref(), Some("lb=mine; k=v; safe=1; session=b"));
        set(&cookies, api, "session=; Path=/; Max-Age=0");
        set(&cookies, api, "safe=; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT");
        assert_eq!(sent(&cookies, api, None).as_deref(), Some("lb=1"));
        for n in 0..100 {
            set(&cookies, "http://many.example.com/", &format!("c{n}=1"));
        }
        assert_eq!(sent(&cookies, "http://many.example.com/", None).unwrap().split(';').count(), MOST);
    }
}
