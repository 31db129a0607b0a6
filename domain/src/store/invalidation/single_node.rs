//! Invalidation on the only server of a SQLite file: it reads the change log after each of its own commits, on request of a command, and
//! once a second.

use sea_orm::DatabaseConnection;
use std::sync::Arc;
use tokio::{sync::Mutex, task::AbortHandle};

use super::{
    CacheValidity,
    change_log::{self, Changes, Entry},
    fingerprint_load::keep_loaded,
    fingerprint_pages::SqlitePages,
    lease::Lease,
};
use crate::{
    Error,
    store::{connection::Writer, deadline::with_timeout},
};

/// The change log of a SQLite file, and the last entry that was applied.
#[derive(Debug)]
pub(crate) struct SingleNode {
    validity: Arc<CacheValidity>,
    /// A separate connection, so that it never waits for a long list.
    reader: DatabaseConnection,
    writer: Writer,
    /// The newest entry that was applied. It stays in the log: if it is missing there, the database was replaced.
    applied: Mutex<Entry>,
    load: AbortHandle,
    #[cfg(test)]
    pub(crate) pause: crate::pause::Pause,
}

impl SingleNode {
    /// Starts at the end of the log, because nothing is cached yet.
    pub(crate) async fn begin(reader: DatabaseConnection, writer: Writer) -> Result<Self, Error> {
        let mark = change_log::mark(&writer).await?;
        let validity = Arc::new(CacheValidity::with(Lease::permanent()));
        // After the mark: what is committed before the load is in its pages, what is committed later is after the mark.
        let pages = SqlitePages {
            reader: reader.clone(),
        };
        let load = tokio::spawn(keep_loaded(Arc::clone(&validity), pages));
        Ok(Self {
            validity,
            load: load.abort_handle(),
            reader,
            writer,
            applied: Mutex::new(mark),
            #[cfg(test)]
            pause: crate::pause::Pause::default(),
        })
    }

    pub(crate) const fn validity(&self) -> &Arc<CacheValidity> {
        &self.validity
    }

    /// Applies every change that any process committed before the call. After it returns, no request uses a cached read from before these
    /// changes. If the log cannot be read, the whole cache is invalidated.
    pub(crate) async fn catch_up(&self) {
        let mut applied = self.applied.lock().await;
        let lost = match with_timeout(change_log::after(&self.reader, *applied)).await {
            Ok(Changes::Some { changed }) => {
                if let Some(newest) = changed.last() {
                    self.validity
                        .invalidate(changed.iter().map(|entry| &entry.subject));
                    self.validity
                        .add_secrets(changed.iter().filter_map(|entry| entry.fingerprint));
                    *applied = *newest;
                }
                return;
            }
            Ok(Changes::TooMany { newest }) => {
                self.validity.invalidate_all();
                *applied = newest;
                return;
            }
            Ok(Changes::Lost) => Error::Unavailable(
                "the last applied entry is gone: the database was replaced".into(),
            ),
            Err(error) => error,
        };
        tracing::warn!(
            error = &lost as &(dyn std::error::Error + 'static),
            "change log unreadable: cache invalidated, every key is read again"
        );
        self.validity.invalidate_all();
        // Everything is invalidated, so entries before the mark need not be read.
        if let Ok(mark) = change_log::mark(&self.writer).await {
            *applied = mark;
        }
        // Once more: a load that began before the mark may have missed secrets that were committed before it.
        self.validity.invalidate_all();
    }

    /// Number of the newest entry that was applied. Earlier entries can be deleted.
    pub(crate) async fn applied(&self) -> i64 {
        self.applied.lock().await.seq
    }
}

impl Drop for SingleNode {
    fn drop(&mut self) {
        self.load.abort();
    }
}
