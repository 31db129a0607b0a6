//! A server that has its SQLite file to itself: it stamps what changed when its own commits are done, when a command says that it has
//! changed something, and by itself once a second.

use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio::sync::Mutex;

use super::{
    Coherence,
    lease::Lease,
    notes::{self, News, Note},
};
use crate::{
    Error,
    store::connection::{Writer, within},
};

/// The notes of what changed, and how far they were read.
#[derive(Debug)]
pub(crate) struct Alone {
    coherence: Arc<Coherence>,
    /// Its own, so that it never waits for somebody's long list.
    reader: DatabaseConnection,
    writer: Writer,
    /// The newest note that was stamped. It stays in the database as a witness: where it is gone, the database is not what it was.
    seen: Mutex<Note>,
    #[cfg(test)]
    pub(crate) pause: crate::pause::Pause,
}

impl Alone {
    /// What is noted by now is no news: nothing was kept before.
    pub(crate) async fn begin(reader: DatabaseConnection, writer: Writer) -> Result<Self, Error> {
        let mark = notes::mark(&writer).await?;
        Ok(Self {
            coherence: Arc::new(Coherence::with(Lease::for_ever())),
            reader,
            writer,
            seen: Mutex::new(mark),
            #[cfg(test)]
            pause: crate::pause::Pause::default(),
        })
    }

    pub(crate) const fn coherence(&self) -> &Arc<Coherence> {
        &self.coherence
    }

    /// Stamps everything that was changed by anybody until now. When this returns, no request that is sent from now on is judged by
    /// what was before; where the notes cannot be read, because nothing that was kept is used any more.
    pub(crate) async fn catch_up(&self) {
        let mut seen = self.seen.lock().await;
        let lost = match within(notes::after(&self.reader, *seen)).await {
            Ok(News::Some { changed }) => {
                if let Some(newest) = changed.last() {
                    self.coherence
                        .changed(changed.iter().map(|note| &note.subject));
                    *seen = *newest;
                }
                return;
            }
            Ok(News::TooMany { newest }) => {
                self.coherence.everything_changed();
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
        self.coherence.everything_changed();
        // What was noted before is stamped with everything else, also what cannot be read.
        if let Ok(mark) = notes::mark(&self.writer).await {
            *seen = mark;
        }
    }

    /// The newest note that was stamped: those before it have done their work.
    pub(crate) async fn seen(&self) -> i64 {
        self.seen.lock().await.seq
    }
}
