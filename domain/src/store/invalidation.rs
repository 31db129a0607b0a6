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
pub(crate) mod change_log;
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

use std::sync::Arc;
use uuid::Uuid;

use lease::Lease;
use replica::Replica;
use single_node::SingleNode;
use versions::{Slot, Version, Versions};

/// 2^16 stamps: half a MiB. Among 100,000 keys, a change of one lets one or two others be read once more.
const STAMP_BITS: u32 = 16;

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
