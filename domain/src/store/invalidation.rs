//! Cache invalidation: cached reads become invalid before a change is acknowledged. Design: `docs/internals/invalidation.md`.
//!
//! | question | file |
//! | --- | --- |
//! | is a cached read still valid? | `versions.rs` |
//! | does any key have this secret? | `fingerprints.rs`, `fingerprint_load.rs`, `fingerprint_pages.rs` |
//! | how long may the cache be used without contact to the database? | `lease.rs` |
//! | SQLite: what has changed, by whichever process? | `single_node.rs`, `change_log.rs` |
//! | SQLite: how does a command wait for the running server? | `control_socket.rs` |
//! | PostgreSQL: how does a replica learn of changes by others? | `replica.rs`, `poll.rs`, `notify.rs` |
//! | PostgreSQL: how does a change wait for all replicas? | `barrier.rs` |
//! | PostgreSQL: how is the backend of a lost connection ended? | `orphaned_backend.rs` |
//!
//! Triggers of the database write a change log: one entry for each change of a key, a group or a tenant that can change a verdict, in
//! the transaction of the change. So no code path can omit an entry, and changes by other programs are logged too. A process that
//! caches reads applies the entries to its versions, and every commit waits for that before it returns (`connection.rs`).

pub(crate) mod barrier;
pub(crate) mod change_log;
mod clock;
pub mod control_socket;
mod fingerprint_load;
mod fingerprint_pages;
mod fingerprints;
mod lease;
mod notify;
mod orphaned_backend;
mod poll;
pub(crate) mod replica;
pub(crate) mod single_node;
pub(crate) mod versions;

/// The standard atomics; the tests compile the same files with those of a model checker.
mod sync {
    pub(super) use std::sync::{
        RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    };
}

use std::sync::Arc;
use tokio::sync::Notify;
use uuid::Uuid;

use super::random::Digest;
use fingerprints::{Fingerprint, Fingerprints};
use lease::Lease;
use replica::Replica;
use single_node::SingleNode;
use versions::{Slot, Version, Versions};

/// 2^16 versions: half a MiB. Among 100,000 keys, a change of one invalidates one or two others.
const VERSION_BITS: u32 = 16;
/// 64 parts with at most 114,688 fingerprints each: 7.3 million secrets in at most 72 MiB.
const FINGERPRINT_PARTS: usize = 64;

/// How this process learns of changes, so that it can cache reads.
#[derive(Debug)]
pub(crate) enum Invalidation {
    /// It does not, and caches nothing: this process does not serve.
    Off,
    /// The only server of a SQLite file.
    SingleNode(Arc<SingleNode>),
    /// One of the servers of a PostgreSQL database.
    Replica(Arc<Replica>),
}

impl Invalidation {
    /// Decides whether a cached read is still valid; `None` where nothing may be cached.
    pub(crate) fn validity(&self) -> Option<&CacheValidity> {
        match self {
            Self::Off => None,
            Self::SingleNode(node) => Some(node.validity()),
            Self::Replica(replica) => Some(replica.validity()),
        }
    }
}

/// Decides whether a cached read is still valid. One for each store that caches reads.
#[derive(Debug)]
pub(crate) struct CacheValidity {
    versions: Versions,
    lease: Lease,
    fingerprints: Fingerprints,
    /// Wakes the task that loads the fingerprints.
    load_wanted: Notify,
    /// Suspends a load between two pages.
    #[cfg(test)]
    pub(crate) pause: crate::pause::Pause,
}

impl CacheValidity {
    fn with(lease: Lease) -> Self {
        Self {
            versions: Versions::new(VERSION_BITS),
            lease,
            fingerprints: Fingerprints::new(FINGERPRINT_PARTS),
            load_wanted: Notify::new(),
            #[cfg(test)]
            pause: crate::pause::Pause::default(),
        }
    }

    /// The current version. To be read before the database is queried.
    pub(crate) fn current_version(&self) -> Version {
        self.versions.current()
    }

    /// Whether a read of these slots that began at `read_at` is still valid.
    pub(crate) fn is_valid(&self, read_at: Version, slots: &[Slot]) -> bool {
        // The lease must be checked first: see `lease.rs`.
        self.lease.is_held(clock::now) && self.versions.is_valid(read_at, slots)
    }

    /// Whether cached reads may be used at all now.
    pub(crate) fn is_usable(&self) -> bool {
        self.lease.is_held(clock::now)
    }

    /// Whether no key, current, revoked or archived, has a secret with this digest. False if that cannot be determined without a query.
    pub(crate) fn is_absent(&self, digest: &Digest) -> bool {
        // The lease must be checked first: see `lease.rs`.
        self.is_usable() && self.fingerprints.is_absent(Fingerprint::of(digest))
    }

    /// Number of secrets whose fingerprints are in memory; `None` while they are not all loaded.
    pub(crate) fn known_secrets(&self) -> Option<usize> {
        (self.fingerprints.is_complete()).then(|| self.fingerprints.len())
    }

    /// Invalidates cached reads of these keys, groups and tenants.
    fn invalidate<'a>(&self, subjects: impl IntoIterator<Item = &'a Uuid>) {
        let slots = subjects.into_iter().map(|id| Slot::of(id.as_u128()));
        self.versions.invalidate(slots);
    }

    /// Adds the fingerprints of new secrets.
    fn add_secrets(&self, fingerprints: impl IntoIterator<Item = Fingerprint>) {
        for fingerprint in fingerprints {
            if !self.fingerprints.add(fingerprint) {
                self.load_wanted.notify_one();
            }
        }
    }

    /// Invalidates all cached reads and reloads the fingerprints, because entries of the change log were missed.
    fn invalidate_all(&self) {
        self.versions.invalidate_all();
        self.fingerprints.reset();
        self.load_wanted.notify_one();
    }
}
