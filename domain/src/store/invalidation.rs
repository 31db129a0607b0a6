//! Who keeps what a request is judged by, and how such a memory learns of a change before anybody is told that it was made.
//!
//! | question | file |
//! | --- | --- |
//! | does what was read earlier still hold? | `versions.rs` |
//! | and how long may it be used without hearing from the database? | `lease.rs` |
//! | SQLite: what has changed, whoever changed it? | `single_node.rs`, `change_log.rs` |
//! | SQLite: how does the command line wait for the server beside it? | `control_socket.rs` |
//! | PostgreSQL: how does a replica learn what another one changed? | `replica.rs`, `poll.rs`, `notify.rs` |
//! | PostgreSQL: how does a change wait for all replicas? | `barrier.rs` |
//!
//! The database itself notes, by triggers, each change of a key, a group or a tenant that could change a verdict: in the change's own
//! transaction, so that no code path can forget it, and one by hand with another program counts too. Whoever keeps what it has read
//! follows these notes and stamps what changed, and every commit waits for that before it is answered (`connection.rs`).

pub(crate) mod barrier;
mod change_log;
mod clock;
pub mod control_socket;
mod lease;
mod notify;
mod orphaned_backend;
mod poll;
pub(crate) mod replica;
pub(crate) mod single_node;
pub(crate) mod versions;

/// The real atomics; the model checker of the tests has others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

use chrono::TimeDelta;
use uuid::Uuid;

use super::{Store, connection::Invalidation};
use crate::Error;
use lease::Lease;
use versions::{Slot, Version, Versions};

/// 2^16 stamps: half a MiB. Among 100,000 keys, a change of one lets one or two others be read once more.
const STAMP_BITS: u32 = 16;

/// What says whether something that was read earlier still holds. One for each store that may keep what it reads.
#[derive(Debug)]
pub(crate) struct CacheValidity {
    versions: Versions,
    lease: Lease,
}

impl CacheValidity {
    fn with(lease: Lease) -> Self {
        Self {
            versions: Versions::new(STAMP_BITS),
            lease,
        }
    }

    /// Now. To be asked before the database is.
    pub(crate) fn current_version(&self) -> Version {
        self.versions.current()
    }

    /// Whether what was read after `noted` of what has these slots still holds.
    pub(crate) fn is_valid(&self, read_at: Version, slots: &[Slot]) -> bool {
        // In this order: see `lease.rs`.
        self.lease.is_held(clock::now) && self.versions.is_valid(read_at, slots)
    }

    /// Whether anything that was kept may be used now.
    pub(crate) fn is_usable(&self) -> bool {
        self.lease.is_held(clock::now)
    }

    /// These have changed.
    fn invalidate<'a>(&self, subjects: impl IntoIterator<Item = &'a Uuid>) {
        let slots = subjects.into_iter().map(|id| Slot::of(id.as_u128()));
        self.versions.invalidate(slots);
    }

    fn invalidate_all(&self) {
        self.versions.invalidate_all();
    }
}

impl Store {
    /// Has this store notice what another process changed in a SQLite file: by hand, with a program that is not ours. Ours say it
    /// themselves, and PostgreSQL does.
    pub async fn poll_changes(&self) {
        if let Invalidation::SingleNode(node) = self.database().invalidation() {
            node.catch_up().await;
        }
    }

    /// Deletes some of the notes that have done their work; to be called again and again.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn prune_change_log(&self) -> Result<(), Error> {
        let database = self.database();
        match database.invalidation() {
            Invalidation::Off => Ok(()),
            Invalidation::SingleNode(node) => change_log::prune(database, node.seen().await).await,
            Invalidation::Replica(_) => barrier::prune(database.checks()).await,
        }
    }

    /// Whether keys that were kept may be used now; `false` also where none are kept.
    #[must_use]
    pub fn cache_is_valid(&self) -> bool {
        self.database()
            .validity()
            .is_some_and(CacheValidity::is_usable)
    }

    /// By how much the database's clock is ahead of this machine's, where that is more than 2 seconds.
    #[must_use]
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        match self.database().invalidation() {
            Invalidation::Replica(replica) => replica.skew(),
            Invalidation::Off | Invalidation::SingleNode(_) => None,
        }
    }

    /// Says where this server listens, by a name that no other process can have at the same time and that outlives this one: a replica
    /// that is started there again takes a crashed predecessor off the list at once.
    pub fn set_place(&self, place: String) {
        if let Invalidation::Replica(replica) = self.database().invalidation() {
            replica.set_place(place);
        }
    }

    /// Uses nothing that is kept any more, and tells the other replicas, so that no change waits for this one. For the end of a server.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then changes wait for it for a few seconds.
    pub async fn deregister(&self) -> Result<(), Error> {
        match self.database().invalidation() {
            Invalidation::Replica(replica) => replica.deregister().await,
            Invalidation::Off | Invalidation::SingleNode(_) => Ok(()),
        }
    }
}
