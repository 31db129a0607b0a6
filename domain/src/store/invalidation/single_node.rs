//! A server that has its SQLite file to itself: it stamps what changed when its own commits are done, when a command says that it has
//! changed something, and by itself once a second.

use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio::sync::Mutex;

use super::{
    CacheValidity,
    change_log::{self, Changes, Entry},
    lease::Lease,
};
use crate::{
    Error,
    store::{connection::Writer, deadline::with_timeout},
};

/// The notes of what changed, and how far they were read.
#[derive(Debug)]
pub(crate) struct SingleNode {
    validity: Arc<CacheValidity>,
    /// Its own, so that it never waits for somebody's long list.
    reader: DatabaseConnection,
    writer: Writer,
    /// The newest note that was stamped. It stays in the database as a witness: where it is gone, the database is not what it was.
    seen: Mutex<Entry>,
    #[cfg(test)]
    pub(crate) pause: crate::pause::Pause,
}

impl SingleNode {
    /// What is noted by now is no news: nothing was kept before.
    pub(crate) async fn begin(reader: DatabaseConnection, writer: Writer) -> Result<Self, Error> {
        let mark = change_log::mark(&writer).await?;
        Ok(Self {
            validity: Arc::new(CacheValidity::with(Lease::permanent())),
            reader,
            writer,
            seen: Mutex::new(mark),
            #[cfg(test)]
            pause: crate::pause::Pause::default(),
        })
    }

    pub(crate) const fn validity(&self) -> &Arc<CacheValidity> {
        &self.validity
    }

    /// Versions everything that was changed by anybody until now. When this returns, no request that is sent from now on is judged by
    /// what was before; where the notes cannot be read, because nothing that was kept is used any more.
    pub(crate) async fn catch_up(&self) {
        let mut seen = self.seen.lock().await;
        let lost = match with_timeout(change_log::after(&self.reader, *seen)).await {
            Ok(Changes::Some { changed }) => {
                if let Some(newest) = changed.last() {
                    self.validity
                        .invalidate(changed.iter().map(|entry| &entry.subject));
                    *seen = *newest;
                }
                return;
            }
            Ok(Changes::TooMany { newest }) => {
                self.validity.invalidate_all();
                *seen = newest;
                return;
            }
            Ok(Changes::Lost) => Error::Unavailable("another state of the database".into()),
            Err(error) => error,
        };
        tracing::warn!(
            error = &lost as &(dyn std::error::Error + 'static),
            "cannot say what changed: every key is read anew"
        );
        self.validity.invalidate_all();
        // What was noted before is stamped with everything else, also what cannot be read.
        if let Ok(mark) = change_log::mark(&self.writer).await {
            *seen = mark;
        }
    }

    /// The newest note that was stamped: those before it have done their work.
    pub(crate) async fn applied(&self) -> i64 {
        self.seen.lock().await.seq
    }
}
