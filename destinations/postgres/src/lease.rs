//! The lease: an advisory lock of a session that lives as long as the run. Who has it stands in the session's
//! `application_name`, which every role may read.

use crate::session::{Engine, Session};
use crate::staging::lock_key;
use async_trait::async_trait;
use longshore_core::error::Result;
use longshore_core::lease::{Holder, Lease, LeaseAnswer, LeaseRequest};
use longshore_sql::literal;
use std::sync::Arc;

/// What the session's name begins with.
const NAME: &str = "longshore run";
/// Longest `application_name`, in bytes.
const LONGEST: usize = 63;

struct SessionLease {
    session: Session,
    key: i64,
}

/// Takes the lease of a pipeline in a dataset.
pub(crate) async fn take(engine: &Arc<Engine>, request: &LeaseRequest<'_>) -> Result<LeaseAnswer> {
    let key = lock_key(&["lease", &request.target.dataset, &request.target.pipeline]);
    let session = engine.connect().await?;
    if session.holds(&format!("SELECT pg_try_advisory_lock({key})")).await? {
        // A server may end sessions that do nothing.
        session
            .batch(&format!(
                "SET application_name = {}; SELECT set_config(name, '0', false) FROM pg_settings \
                 WHERE name = 'idle_session_timeout'",
                literal(&name_of(request.holder))
            ))
            .await?;
        return Ok(LeaseAnswer::Ours(Box::new(SessionLease { session, key })));
    }
    let sql = format!(
        "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' \
         AND l.granted AND l.objsubid = 1 AND l.classid::bigint << 32 | l.objid::bigint = {key} \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1"
    );
    let holder = session.value(&sql).await?.and_then(|name| holder_of(&name));
    Ok(LeaseAnswer::Held { holder, free_in: None })
}

/// `longshore run 4711 1763826000 host`
fn name_of(holder: &Holder) -> String {
    let mut name = format!("{NAME} {} {} {}", holder.process, holder.since / 1_000_000, holder.host);
    while name.len() > LONGEST {
        name.pop();
    }
    name
}

fn holder_of(name: &str) -> Option<Holder> {
    let mut words = name.strip_prefix(NAME)?.trim_start().splitn(3, ' ');
    let process = words.next()?.parse().ok()?;
    let since = words.next()?.parse::<u64>().ok()?.saturating_mul(1_000_000);
    let host = words.next()?.to_owned();
    Some(Holder { host, process, since, ..Holder::default() })
}

#[async_trait]
impl Lease for SessionLease {
    async fn release(self: Box<Self>) -> Result<()> {
        self.session.execute(&format!("SELECT pg_advisory_unlock({})", self.key)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sessions_name_says_who_it_is() {
        let holder =
            Holder { host: "a-host.example".into(), process: 4711, since: 1_763_826_000_000_000, ..Holder::default() };
        assert_eq!(holder_of(&name_of(&holder)), Some(holder.clone()));
        let long = Holder { host: "ö".repeat(60), ..holder };
        assert!(name_of(&long).len() <= LONGEST && holder_of(&name_of(&long)).is_some());
        assert_eq!(holder_of("psql"), None);
    }
}
