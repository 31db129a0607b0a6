//! The server lock, which permits one server for each SQLite file, under any name of the file.

use std::{
    fs::{File, TryLockError},
    io::ErrorKind,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

use super::file::{beside, owner_file};
use crate::{Error, store::error::unavailable};

/// Longest wait of a server for the lock: a command that tests whether a server holds it, shares it for that moment.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The database file, opened beside SQLite's own connections, to be locked with flock(2).
///
/// Such a lock belongs to the file itself. A lock on a name beside the file misses a hard link, and a bind mount of the file alone; a
/// socket in the abstract namespace misses another network namespace; `/proc/locks` omits other PID namespaces.
///
/// It does not conflict with SQLite's own locks, which use fcntl(2). But when a process closes any descriptor of a file, it loses all its
/// fcntl locks on that file. So this descriptor is opened before SQLite opens the file, and stays open until the process ends: it is
/// unlocked when dropped, and never closed. A process opens one database.
#[derive(Clone, Debug)]
pub(crate) struct HeldFile(Arc<Descriptor>);

#[derive(Debug)]
struct Descriptor(ManuallyDrop<File>);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // Unlocking a file that is not locked has no effect.
        let _ = self.0.unlock();
    }
}

impl HeldFile {
    /// Opens the file, which must exist.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) fn open(database: &Path) -> Result<Self, Error> {
        let file = File::open(database)
            .map_err(|error| unavailable(format!("{}: {error}", database.display())))?;
        Ok(Self::of(file))
    }

    /// Wraps an open file.
    pub(crate) fn of(file: File) -> Self {
        Self(Arc::new(Descriptor(ManuallyDrop::new(file))))
    }

    /// Whether a server serves this file, under this name or another.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if that cannot be determined.
    pub(crate) fn is_served(&self, database: &Path) -> Result<bool, Error> {
        // A server of an earlier version locks only the name.
        Ok(self.is_locked()? || is_name_locked(database)?)
    }

    /// Refuses a file that a server serves under another name: SQLite's write-ahead log is beside that name, so a write under this name
    /// would bypass it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) fn refuse_another_name(&self, database: &Path) -> Result<(), Error> {
        // A server locks the name first and unlocks it last; the third test covers a server that ends between the first two.
        if self.is_locked()? && !is_name_locked(database)? && self.is_locked()? {
            return Err(unavailable(format!(
                "another latchkey serves this file under another name (a hard link or a mount): use the name that it uses instead of {}",
                database.display()
            )));
        }
        Ok(())
    }

    /// Whether a server holds the lock. A server must not test its own lock: it would share it and then release it.
    fn is_locked(&self) -> Result<bool, Error> {
        let file: &File = &self.0.0;
        match file.try_lock_shared() {
            Ok(()) => {
                file.unlock().map_err(unavailable)?;
                Ok(false)
            }
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(unavailable(error)),
        }
    }
}

/// Keeps other servers off the file until it is dropped. The operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    // Released first: while the file is locked, the name is locked too.
    _file: Option<HeldFile>,
    _name: File,
}

impl ServerLock {
    /// Locks the name and the file.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a server holds it.
    pub(crate) async fn take(database: &Path, held: &HeldFile) -> Result<Self, Error> {
        let mut lock = Self::take_name(database).await?;
        lock.take_file(database, held).await?;
        Ok(lock)
    }

    /// Locks only the name, because the file may not exist yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a server holds it.
    pub(crate) async fn take_name(database: &Path) -> Result<Self, Error> {
        let name = owner_file(&name_lock(database))?;
        lock(&name, database).await?;
        Ok(Self {
            _file: None,
            _name: name,
        })
    }

    /// Locks the file as well.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a server holds it.
    pub(crate) async fn take_file(
        &mut self,
        database: &Path,
        held: &HeldFile,
    ) -> Result<(), Error> {
        lock(&held.0.0, database).await?;
        self._file = Some(held.clone());
        Ok(())
    }
}

async fn lock(file: &File, database: &Path) -> Result<(), Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(unavailable(format!(
                    "another latchkey serves this database: {}",
                    database.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(unavailable(error)),
        }
    }
}

/// Whether a server holds the lock file beside this name of the database.
fn is_name_locked(database: &Path) -> Result<bool, Error> {
    let path = name_lock(database);
    match File::open(&path).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => Ok(false),
        Ok(Err(TryLockError::WouldBlock)) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Ok(Err(TryLockError::Error(error))) | Err(error) => {
            Err(unavailable(format!("{}: {error}", path.display())))
        }
    }
}

fn name_lock(database: &Path) -> PathBuf {
    beside(database, ".lock")
}
