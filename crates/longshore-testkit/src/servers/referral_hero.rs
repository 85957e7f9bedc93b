//! A mock of the ReferralHero API, v2: tokens checked, calls counted, errors on demand.
//!
//! `https://app.referralhero.com/api/v2`: `{"status", "data", "pagination": {total_pages, current_page, per_page,
//! total_objects}}`, query `page` (from 1) and `per_page`; errors with a `code`.

use super::http::{Answer, Asked, Server};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The token the mock takes, in `Authorization: Bearer` or `X-API-Key`.
pub const TOKEN: &str = "rh-token-4d1c";

/// How the mock behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Lists.
    pub lists: u64,
    /// Subscribers of each list.
    pub subscribers: u64,
    /// Calls that are answered before the limit is reached; then the next few are refused with 429.
    pub calls: u64,
    /// Every how many calls one fails with 500; 0 for never.
    pub fail_every: u64,
    /// A subscriber of each list that is deleted while it is read: lists still name it, and it is not found; 0 for none.
    pub gone: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { lists: 2, subscribers: 25, calls: 5000, fail_every: 0, gone: 0 }
    }
}

/// Starts the mock; its API is below `/api/v2`.
pub fn start(options: Options) -> Server {
    let calls = Arc::new(AtomicU64::new(0));
    Server::start(move |asked| {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        let given = asked.header("authorization").and_then(|v| v.strip_prefix("Bearer ")).or(asked.header("x-api-key"));
        match given {
            None => return error(401, "no_token", "Token is missing"),
            Some(token) if token != TOKEN => return error(403, "invalid_token", "Token is wrong"),
            Some(_) => {}
        }
        // A window of its own size: as many calls are refused as fit into a short wait.
        if call.is_multiple_of(options.calls + 1) {
            return error(429, "too_many_calls", "Too many calls").header("retry-after", "0");
        }
        if options.fail_every > 0 && call.is_multiple_of(options.fail_every) {
            return error(500, "server_error", "Something went wrong");
        }
        route(asked, &options)
    })
}

fn route(asked: &Asked, options: &Options) -> Answer {
    let Some(path) = asked.path.strip_prefix("/api/v2/") else { return error(404, "not_found", "No such page") };
    let parts: Vec<&str> = path.split('/').collect();
    let of_list = |uuid: &str| {
        uuid.strip_prefix("MF").and_then(|n| n.parse::<u64>().ok()).filter(|n| *n <= options.lists && *n > 0)
    };
    if let [_, uuid, ..] = parts.as_slice()
        && of_list(uuid).is_none()
    {
        return error(404, "list_not_found", "No such list");
    }
    let list = parts.get(1).and_then(|u| of_list(u)).unwrap_or(0);
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["lists"]) => paged(asked, "", (1..=options.lists).map(a_list).collect()),
        ("GET", ["lists", _, "bonuses"]) => {
            data(json!({ "rewards": (1..=2).map(|i| reward(list, i)).collect::<Vec<_>>() }))
        }
        ("GET", ["lists", _, "rewards"]) => {
            data(json!({ "rewards": (1..=3).map(|i| reward(list, i)).collect::<Vec<_>>() }))
        }
        ("GET", ["lists", _, "coupon_groups"]) => {
            data(json!([{ "id": list * 10, "name": format!("Group {list}"), "coupons": 2 }]))
        }
        ("GET", ["lists", _, "coupons"]) => data(
            json!({ "coupons": (1..=2).map(|i| json!({ "id": list * 100 + i, "code": format!("C{list}-{i}"), "used": i == 1 })).collect::<Vec<_>>() }),
        ),
        ("GET", ["lists", _, "subscribers"]) => {
            paged(asked, "subscribers", (1..=options.subscribers).map(|n| subscriber(list, n)).collect())
        }
        ("GET", ["lists", _, "subscribers", "retrieve_by_email"]) => {
            match asked.query.get("email").and_then(|e| by_email(list, e)).filter(|n| *n != options.gone) {
                Some(n) => data(subscriber(list, n)),
                None => error(400, "subscriber_not_found", "Subscriber not found"),
            }
        }
        ("POST", ["lists", _, "subscribers", "track_transaction"]) => {
            data(json!({ "response": "transaction_tracked", "list": list }))
        }
        ("GET", ["lists", _, "subscribers", id, rest @ ..]) => {
            match (number(list, id, options).filter(|n| *n != options.gone), rest) {
                (None, _) => error(422, "subscriber_not_found", "Subscriber not found"),
                (Some(n), []) => data(subscriber(list, n)),
                (Some(n), ["referred"]) => paged(
                    asked,
                    "subscribers",
                    (n + 1..=(n + n % 3).min(options.subscribers)).map(|m| subscriber(list, m)).collect(),
                ),
                (Some(n), ["rewards"]) => {
                    paged(asked, "rewards", (1..=n % 2).map(|i| reward(list, n * 10 + i)).collect())
                }
                _ => error(404, "not_found", "No such page"),
            }
        }
        _ => error(404, "not_found", "No such page"),
    }
}

fn data(value: Value) -> Answer {
    Answer::json(&json!({ "status": "ok", "data": value }))
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::status(status, &json!({ "status": "error", "code": code, "message": message }))
}

/// One page of a list, under a key or as the data itself.
fn paged(asked: &Asked, key: &str, all: Vec<Value>) -> Answer {
    let (page, size) = (asked.number("page", 1).max(1), asked.number("per_page", 10).clamp(1, 100));
    let total = all.len() as u64;
    let part: Vec<Value> = all.into_iter().skip(((page - 1) * size) as usize).take(size as usize).collect();
    let data = if key.is_empty() { json!(part) } else { json!({ key: part }) };
    let pagination =
        json!({ "total_pages": total.div_ceil(size), "current_page": page, "per_page": size, "total_objects": total });
    Answer::json(&json!({ "status": "ok", "data": data, "pagination": pagination }))
}

fn a_list(n: u64) -> Value {
    json!({ "uuid": format!("MF{n}"), "name": format!("Campaign {n}"), "created_at": "2024-01-01T00:00:00Z", "settings": { "double_optin": n.is_multiple_of(2) } })
}

fn reward(list: u64, n: u64) -> Value {
    json!({ "id": list * 1000 + n, "name": format!("Reward {n}"), "referrals": n, "status": "confirmed" })
}

fn subscriber(list: u64, n: u64) -> Value {
    json!({
        "id": format!("{list}-{n}"),
        "name": format!("Subscriber {n}"),
        "email": format!("s{n}@list{list}.example"),
        "created_at": format!("2024-01-{:02}T00:00:00Z", n % 28 + 1),
        "points": n,
        "people_referred": n % 3,
        "referred_by": if n > 1 { json!({ "id": format!("{list}-{}", n - 1) }) } else { Value::Null },
        "tags": &["new", "vip"][..(n % 3) as usize],
    })
}

fn number(list: u64, id: &str, options: &Options) -> Option<u64> {
    id.strip_prefix(&format!("{list}-"))?.parse().ok().filter(|n| (1..=options.subscribers).contains(n))
}

fn by_email(list: u64, email: &str) -> Option<u64> {
    email.strip_prefix('s')?.strip_suffix(&format!("@list{list}.example"))?.parse().ok()
}
