//! Who keeps what a request is judged by, and how such a memory learns of a change before anybody is told that it was made.
//!
//! | question | file |
//! | --- | --- |
//! | does what was read earlier still hold? | `stamps.rs` |
//! | what has changed, whoever changed it? | `feed.rs` |
//! | how does the command line wait for the server beside it? | `confirmation.rs` |
//!
//! The database itself notes, by triggers, each change of a key, a group or a tenant that could change a verdict: in the change's own
//! transaction, so that no code path can forget it, and one by hand with another program counts too. [`Coherence::catch_up`] reads
//! these notes and stamps what changed. It is the one owner of "the state of this has changed", and every commit of this process
//! goes through it before it is answered (`connection.rs`).

pub mod confirmation;
mod feed;
pub(crate) mod stamps;

/// The real atomics; the model checker of the tests has others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

use sea_orm::DatabaseConnection;
use tokio::sync::Mutex;

use super::connection::within;
use stamps::{Slot, Stamps};

/// 2^16 stamps: half a MiB. Among 100,000 keys, a change of one lets one or two others be read once more.
const STAMP_BITS: u32 = 16;

/// The notes of what changed, and the stamps that come of them. One for each store that may keep what it reads.
#[derive(Debug)]
pub(crate) struct Coherence {
    stamps: Stamps,
    reader: DatabaseConnection,
    /// The newest note that was stamped.
    seen: Mutex<i64>,
}

impl Coherence {
    /// Nothing that is noted by now is news: nothing was kept before.
    pub(crate) async fn begin(reader: DatabaseConnection) -> Result<Self, crate::Error> {
        let newest = within(feed::newest(&reader)).await?;
        Ok(Self {
            stamps: Stamps::new(STAMP_BITS),
            reader,
            seen: Mutex::new(newest),
        })
    }

    /// When each thing changed last.
    pub(crate) const fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// Stamps everything that was changed by anybody until now. When this returns, no request that is sent from now on is judged by
    /// what was before; where the notes cannot be read, because nothing that was kept is used any more.
    pub(crate) async fn catch_up(&self) {
        let mut seen = self.seen.lock().await;
        match within(feed::after(&self.reader, *seen)).await {
            Ok(feed::News::Some { changed, newest }) => {
                if !changed.is_empty() {
                    let slots = changed.iter().map(|id| Slot::of(id.as_u128()));
                    self.stamps.changed(slots);
                    *seen = newest;
                }
            }
            Ok(feed::News::TooMany { newest }) => {
                self.stamps.everything_changed();
                *seen = newest;
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    "cannot read what changed: every key is read anew"
                );
                self.stamps.everything_changed();
            }
        }
    }

    /// The newest note that was stamped: it and those before it have done their work.
    pub(crate) async fn seen(&self) -> i64 {
        *self.seen.lock().await
    }
}
