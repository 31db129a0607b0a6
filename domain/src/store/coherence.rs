//! Who keeps what a request is judged by, and how such a memory learns of a change before anybody is told that it was made.
//!
//! | question | file |
//! | --- | --- |
//! | does what was read earlier still hold? | `stamps.rs` |
//! | and how long may it be used without hearing from the database? | `lease.rs` |
//! | SQLite: what has changed, whoever changed it? | `alone.rs`, `notes.rs` |
//! | SQLite: how does the command line wait for the server beside it? | `confirmation.rs` |
//! | PostgreSQL: how does a replica learn what another one changed? | `replica.rs`, `beat.rs`, `hints.rs` |
//! | PostgreSQL: how does a change wait for all replicas? | `barrier.rs` |
//!
//! The database itself notes, by triggers, each change of a key, a group or a tenant that could change a verdict: in the change's own
//! transaction, so that no code path can forget it, and one by hand with another program counts too. Whoever keeps what it has read
//! follows these notes and stamps what changed, and every commit waits for that before it is answered (`connection.rs`).

pub(crate) mod alone;
mod backend;
pub(crate) mod barrier;
mod beat;
mod clock;
pub mod confirmation;
mod hints;
mod lease;
mod notes;
pub(crate) mod replica;
pub(crate) mod stamps;

/// The real atomics; the model checker of the tests has others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

use chrono::TimeDelta;
use uuid::Uuid;

use super::{Store, connection::Keeper};
use crate::Error;
use lease::Lease;
use stamps::{Slot, Stamps, Tick};

/// 2^16 stamps: half a MiB. Among 100,000 keys, a change of one lets one or two others be read once more.
const STAMP_BITS: u32 = 16;

/// What says whether something that was read earlier still holds. One for each store that may keep what it reads.
#[derive(Debug)]
pub(crate) struct Coherence {
    stamps: Stamps,
    lease: Lease,
}

impl Coherence {
    fn with(lease: Lease) -> Self {
        Self {
            stamps: Stamps::new(STAMP_BITS),
            lease,
        }
    }

    /// Now. To be asked before the database is.
    pub(crate) fn now(&self) -> Tick {
        self.stamps.now()
    }

    /// Whether what was read after `noted` of what has these slots still holds.
    pub(crate) fn hold(&self, noted: Tick, slots: &[Slot]) -> bool {
        // In this order: see `lease.rs`.
        self.lease.is_held(clock::now) && self.stamps.hold(noted, slots)
    }

    /// Whether anything that was kept may be used now.
    pub(crate) fn may_be_used(&self) -> bool {
        self.lease.is_held(clock::now)
    }

    /// These have changed.
    fn changed<'a>(&self, subjects: impl IntoIterator<Item = &'a Uuid>) {
        let slots = subjects.into_iter().map(|id| Slot::of(id.as_u128()));
        self.stamps.changed(slots);
    }

    fn everything_changed(&self) {
        self.stamps.everything_changed();
    }
}

impl Store {
    /// Has this store notice what another process changed in a SQLite file: by hand, with a program that is not ours. Ours say it
    /// themselves, and PostgreSQL does.
    pub async fn notice_changes(&self) {
        if let Keeper::Alone(alone) = self.database().keeper() {
            alone.catch_up().await;
        }
    }

    /// Deletes some of the notes that have done their work; to be called again and again.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn forget_noticed_changes(&self) -> Result<(), Error> {
        let database = self.database();
        match database.keeper() {
            Keeper::Nobody => Ok(()),
            Keeper::Alone(alone) => notes::forget(database, alone.seen().await).await,
            Keeper::Replica(_) => barrier::forget(database.checks()).await,
        }
    }

    /// Whether keys that were kept may be used now; `false` also where none are kept.
    #[must_use]
    pub fn may_use_what_is_kept(&self) -> bool {
        self.database()
            .coherence()
            .is_some_and(Coherence::may_be_used)
    }

    /// By how much the database's clock is ahead of this machine's, where that is more than 2 seconds.
    #[must_use]
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        match self.database().keeper() {
            Keeper::Replica(replica) => replica.skew(),
            Keeper::Nobody | Keeper::Alone(_) => None,
        }
    }

    /// Says where this server listens, by a name that no other process can have at the same time and that outlives this one: a replica
    /// that is started there again takes a crashed predecessor off the list at once.
    pub fn serves_at(&self, place: String) {
        if let Keeper::Replica(replica) = self.database().keeper() {
            replica.serves_at(place);
        }
    }

    /// Uses nothing that is kept any more, and tells the other replicas, so that no change waits for this one. For the end of a server.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then changes wait for it for a few seconds.
    pub async fn leave(&self) -> Result<(), Error> {
        match self.database().keeper() {
            Keeper::Replica(replica) => replica.leave().await,
            Keeper::Nobody | Keeper::Alone(_) => Ok(()),
        }
    }
}
