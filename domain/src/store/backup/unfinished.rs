//! A file that gets its final name only when it is complete and synced to disk.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};
use uuid::Uuid;

use crate::{
    Error,
    store::{connection::file::beside, random},
};

/// A new, empty file beside its final name, readable by the owner only. Removed if dropped before it is finished.
#[derive(Debug)]
pub(crate) struct Unfinished {
    path: PathBuf,
    finished: PathBuf,
}

impl Unfinished {
    /// Creates the unfinished file for `file`, which must not exist yet.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; [`Error::Invalid`] if no file can be created there.
    pub(crate) fn of(file: &Path) -> Result<Self, Error> {
        let finished = absolute(file)?;
        if fs::symlink_metadata(&finished).is_ok() {
            return Err(exists(&finished));
        }
        // A random name, so that concurrent backups and leftovers of killed processes do not collide.
        let id = random::identifier::<Uuid>().simple();
        Self::at(beside(&finished, &format!(".unfinished-{id}")), finished)
    }

    /// Creates a file that is never finished. A leftover of a killed process at that path is removed.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it cannot be created.
    pub(crate) fn temporary(path: PathBuf) -> Result<Self, Error> {
        remove_with_journal(&path);
        Self::at(path.clone(), path)
    }

    fn at(path: PathBuf, finished: PathBuf) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { path, finished })
    }

    /// The path of the unfinished file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs the file to disk and gives it its final name; returns that path and the size in bytes.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if a file of that name was created meanwhile; [`Error::Invalid`].
    pub(crate) fn finish(self) -> Result<(PathBuf, u64), Error> {
        let failed = |error| cannot_write(&self.finished, &error);
        let file = File::open(&self.path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        // A hard link, unlike a rename, never replaces a file.
        match fs::hard_link(&self.path, &self.finished) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(exists(&self.finished));
            }
            // Some file systems do not support hard links.
            Err(_) if fs::symlink_metadata(&self.finished).is_err() => {
                fs::rename(&self.path, &self.finished).map_err(failed)?;
            }
            linked => linked.map_err(failed)?,
        }
        let _ = fs::remove_file(&self.path);
        let folder = self.finished.parent().unwrap_or(Path::new("/"));
        if let Err(error) = File::open(folder).and_then(|folder| folder.sync_all()) {
            let _ = fs::remove_file(&self.finished);
            return Err(failed(error));
        }
        Ok((self.finished.clone(), bytes))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        remove_with_journal(&self.path);
    }
}

fn remove_with_journal(path: &Path) {
    for file in [path, &beside(path, "-journal")] {
        let _ = fs::remove_file(file);
    }
}

/// The absolute path of the file; its folder must exist.
fn absolute(file: &Path) -> Result<PathBuf, Error> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))
        .map_err(|error| cannot_write(file, &error))?;
    let name: OsString = file
        .file_name()
        .ok_or_else(|| Error::invalid("file", "Must name a file"))?
        .to_owned();
    Ok(folder.join(name))
}

fn exists(file: &Path) -> Error {
    Error::AlreadyExists {
        what: "file",
        name: file.display().to_string(),
    }
}

fn cannot_write(file: &Path, error: &std::io::Error) -> Error {
    Error::invalid("file", format!("cannot write {}: {error}", file.display()))
}
