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
use crate::Error;
use feed::{News, Note};
use stamps::{Slot, Stamps};

/// 2^16 stamps: half a MiB. Among 100,000 keys, a change of one lets one or two others be read once more.
const STAMP_BITS: u32 = 16;

/// The notes of what changed, and the stamps that come of them. One for each store that may keep what it reads.
#[derive(Debug)]
pub(crate) struct Coherence {
    stamps: Stamps,
    /// Its own, so that it never waits for somebody's long list.
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    /// The newest note that was stamped. It stays in the database as a witness: where it is gone, the database is not what it was.
    seen: Mutex<Note>,
    #[cfg(test)]
    pub(crate) pause: crate::pause::Pause,
}

impl Coherence {
    /// What is noted by now is no news: nothing was kept before.
    pub(crate) async fn begin(
        reader: DatabaseConnection,
        writer: DatabaseConnection,
    ) -> Result<Self, Error> {
        let mark = within(feed::mark(&writer)).await?;
        Ok(Self {
            stamps: Stamps::new(STAMP_BITS),
            reader,
            writer,
            seen: Mutex::new(mark),
            #[cfg(test)]
            pause: crate::pause::Pause::default(),
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
        let lost = match within(feed::after(&self.reader, *seen)).await {
            Ok(News::Some { changed }) => {
                if let Some(newest) = changed.last() {
                    let slots = changed.iter().map(|note| Slot::of(note.subject.as_u128()));
                    self.stamps.changed(slots);
                    *seen = *newest;
                }
                return;
            }
            Ok(News::TooMany { newest }) => {
                self.stamps.everything_changed();
                *seen = newest;
                return;
            }
            Ok(News::Lost) => Error::Unavailable("another state of the database".into()),
            Err(error) => error,
        };
        tracing::warn!(
            error = &lost as &(dyn std::error::Error + 'static),
            "cannot say what changed: every key is read anew"
        );
        self.stamps.everything_changed();
        // What was noted before is stamped with everything else, also what cannot be read.
        if let Ok(mark) = within(feed::mark(&self.writer)).await {
            *seen = mark;
        }
    }

    /// The newest note that was stamped: those before it have done their work.
    pub(crate) async fn seen(&self) -> i64 {
        self.seen.lock().await.seq
    }
}
