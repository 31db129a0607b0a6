//! Loads the fingerprints of all secrets (`fingerprints.rs`), at the start and whenever entries of the change log were missed. Meanwhile each
//! unknown secret is looked up in the database.

use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

use super::{
    CacheValidity,
    fingerprints::{Fingerprint, Fingerprints},
};
use crate::Error;

/// Time between two attempts to load.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The tables with digests, in the order in which they are read: keys move only from the first to the second.
pub(super) const TABLES: [&str; 2] = ["api_keys", "archived_api_keys"];

/// Number of triggers that log new secrets (`migration/m0016_secret_fingerprints.rs`).
pub(super) const TRIGGERS: i64 = 4;

/// A database from which the digests are read.
pub(super) trait Pages: Send {
    /// Maximum number of fingerprints of a page.
    const LENGTH: usize;

    /// Prepares a load. False if new secrets might not be logged now: the triggers are missing, as while a dump is restored, or the server
    /// is not registered.
    fn begin(&mut self) -> impl Future<Output = Result<bool, Error>> + Send;

    /// The fingerprints of the first digests of `table` that are at or above `first`; `None` if the server is not registered any more.
    fn read(
        &mut self,
        table: &'static str,
        first: Fingerprint,
    ) -> impl Future<Output = Result<Option<Vec<Fingerprint>>, Error>> + Send;
}

/// How a load ended.
enum Ending {
    Complete,
    /// The change log was missed meanwhile.
    Superseded,
    /// The database cannot be read consistently now.
    NotReady,
    /// There are too many secrets.
    Full,
}

/// Loads the fingerprints whenever they are incomplete. Never returns.
pub(super) async fn keep_loaded(validity: Arc<CacheValidity>, mut pages: impl Pages) {
    let mut has_failed = false;
    loop {
        let mut wait = None;
        if !validity.fingerprints.is_complete() {
            let started = Instant::now();
            let ending = load(&validity, &mut pages).await;
            match ending {
                Ok(Ending::Complete) => {
                    has_failed = false;
                    tracing::debug!(
                        secrets = validity.fingerprints.len(),
                        milliseconds = started.elapsed().as_millis(),
                        "fingerprints loaded: unknown secrets are refused without a query"
                    );
                }
                Ok(Ending::Superseded) => continue,
                Ok(Ending::NotReady) => wait = Some(RETRY_AFTER),
                Ok(Ending::Full) => tracing::warn!(
                    "too many secrets for the set of fingerprints: unknown secrets are looked up in the database"
                ),
                Err(error) => {
                    wait = Some(RETRY_AFTER);
                    if !has_failed {
                        has_failed = true;
                        tracing::warn!(
                            error = &error as &(dyn std::error::Error + 'static),
                            "fingerprints not loaded: unknown secrets are looked up in the database"
                        );
                    }
                }
            }
        }
        // A reset that comes before this wait is kept.
        let wanted = validity.load_wanted.notified();
        match wait {
            Some(wait) => drop(timeout(wait, wanted).await),
            None => wanted.await,
        }
    }
}

async fn load<P: Pages>(validity: &CacheValidity, pages: &mut P) -> Result<Ending, Error> {
    let fingerprints: &Fingerprints = &validity.fingerprints;
    // Before the first query: what is committed later is in the change log.
    let load = fingerprints.begin_load();
    if !pages.begin().await? {
        return Ok(Ending::NotReady);
    }
    for table in TABLES {
        let mut next = Some(Fingerprint::from_bytes([0; 8]));
        while let Some(first) = next {
            let Some(page) = pages.read(table, first).await? else {
                return Ok(Ending::NotReady);
            };
            #[cfg(test)]
            validity.pause.here().await;
            let is_last = page.len() < P::LENGTH;
            let last = page.iter().max().copied();
            next = last.filter(|_| !is_last).and_then(Fingerprint::next);
            if !fingerprints.add_page(page) {
                return Ok(Ending::Full);
            }
            if fingerprints.is_superseded(load) {
                return Ok(Ending::Superseded);
            }
        }
    }
    Ok(if fingerprints.complete(load) {
        Ending::Complete
    } else if fingerprints.is_superseded(load) {
        Ending::Superseded
    } else {
        Ending::Full
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn numbered(number: u64) -> Fingerprint {
        Fingerprint::from_bytes(number.to_be_bytes())
    }

    #[test]
    fn a_set_without_room_refuses_nobody() {
        let set = Fingerprints::with_most(1, 16);
        let load = set.begin_load();
        assert!(set.add_page((0..15).map(numbered)));
        assert!(set.complete(load));
        assert!(set.is_absent(numbered(99)));
        assert!(set.add(numbered(15)));
        assert!(set.add(numbered(15)), "it is there already");
        assert!(!set.add(numbered(16)));
        assert!(!set.is_complete());
        assert!(!set.is_absent(numbered(99)));
        // A load that leaves too little room does not complete the set.
        let load = set.begin_load();
        assert!(set.add_page((0..16).map(numbered)));
        assert!(!set.complete(load));
        let load = set.begin_load();
        assert!(!set.add_page((0..17).map(numbered)));
        assert!(!set.complete(load));
        assert!(!set.is_absent(numbered(99)));
    }

    #[test]
    fn fingerprints_are_spread_over_the_parts_in_order() {
        let set = Fingerprints::new(64);
        let load = set.begin_load();
        let page = (0..6_400).map(|number: u64| numbered(number * (u64::MAX / 6_400)));
        assert!(set.add_page(page));
        assert!(set.complete(load));
        assert_eq!(set.len(), 6_400);
        assert!(!set.is_absent(numbered(0)));
        assert!(set.is_absent(numbered(u64::MAX)));
    }
}
