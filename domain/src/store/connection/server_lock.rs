//! The server lock: one server for each SQLite file, under any name of the file.

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

/// How long a server tries for the lock: a command that looks whether a server holds it, shares it for that moment.
const LOCK_PATIENCE: Duration = Duration::from_millis(300);
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The database file, open beside SQLite's own connections, to be locked with flock(2).
///
/// Such a lock belongs to the file itself. A lock on a name beside the file misses a hard link, and a bind mount of the file alone; a
/// socket in the abstract namespace misses another network namespace; `/proc/locks` shows nothing of another PID namespace.
///
/// It does not meet SQLite's own locks, which are those of fcntl(2). But when a process closes any descriptor of a file, it loses all
/// its fcntl locks on that file. So this descriptor is opened before SQLite opens the file, and stays open until the process ends: it
/// is unlocked when dropped, and never closed. A process opens one database.
#[derive(Clone, Debug)]
pub(crate) struct HeldFile(Arc<Descriptor>);

#[derive(Debug)]
struct Descriptor(ManuallyDrop<File>);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // Whether or not it was locked.
        let _ = self.0.unlock();
    }
}

impl HeldFile {
    /// Opens the file, which has to be there.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) fn open(database: &Path) -> Result<Self, Error> {
        let file = File::open(database)
            .map_err(|error| unavailable(format!("{}: {error}", database.display())))?;
        Ok(Self::of(file))
    }

    /// Holds a file that is open.
    pub(crate) fn of(file: File) -> Self {
        Self(Arc::new(Descriptor(ManuallyDrop::new(file))))
    }

    /// Whether a server serves this file, under this name or another.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where that cannot be found out.
    pub(crate) fn is_served(&self, database: &Path) -> Result<bool, Error> {
        // A server of an earlier version locks the name alone.
        Ok(self.is_locked()? || is_name_locked(database)?)
    }

    /// Refuses to work on a file that a server serves under another name: SQLite's write-ahead log is beside that name, and what is
    /// written under this one would never meet it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub(crate) fn refuse_another_name(&self, database: &Path) -> Result<(), Error> {
        // A server locks the name first and gives it back last; the third look is for one that ends between the first two.
        if self.is_locked()? && !is_name_locked(database)? && self.is_locked()? {
            return Err(unavailable(format!(
                "another latchkey serves this file under another name (a hard link or a mount): use the name that it uses instead of {}",
                database.display()
            )));
        }
        Ok(())
    }

    /// Whether a server holds the lock. Not asked by a server of itself: it would share its own lock, and give it back.
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

/// Keeps other servers off the file until it is dropped. The system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct ServerLock {
    // Given back first: whoever finds the file locked finds the name locked too.
    _file: Option<HeldFile>,
    _name: File,
}

impl ServerLock {
    /// Locks the name and the file.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a server has it.
    pub(crate) async fn take(database: &Path, held: &HeldFile) -> Result<Self, Error> {
        let mut lock = Self::take_name(database).await?;
        lock.take_file(database, held).await?;
        Ok(lock)
    }

    /// Locks the name alone, where there may be no file yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a server has it.
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
    /// [`Error::Unavailable`] where a server has it.
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

/// Whether a server holds the lock beside this name of the database.
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
