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
    /// For `file`, which must not be there yet.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`]; [`Error::Invalid`] for a place where no file can be made.
    pub(crate) fn of(file: &Path) -> Result<Self, Error> {
        let finished = absolute(file)?;
        if fs::symlink_metadata(&finished).is_ok() {
            return Err(exists(&finished));
        }
        // Two that are made at once do not meet, and what a killed one has left is in nobody's way.
        let id = random::identifier::<Uuid>().simple();
        Self::at(beside(&finished, &format!(".unfinished-{id}")), finished)
    }

    /// A file that is of no use to anybody else, and never finished. What a killed process has left there goes.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot be made.
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

    /// Where it is as long as it is unfinished.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, once every byte is on the disk; returns the name and the size.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where somebody else has made a file of that name meanwhile; [`Error::Invalid`].
    pub(crate) fn finish(self) -> Result<(PathBuf, u64), Error> {
        let failed = |error| cannot_write(&self.finished, &error);
        let file = File::open(&self.path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        // A second name, and not another one, takes no file's place.
        match fs::hard_link(&self.path, &self.finished) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                return Err(exists(&self.finished));
            }
            // There are file systems that have no second names.
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

/// The file in its folder, which has to be there.
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
