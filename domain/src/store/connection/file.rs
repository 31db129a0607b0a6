//! Files of a SQLite database: names and permissions.

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{Error, store::error::unavailable};

/// Opens a file for writing; a new one is its owner's alone.
pub(crate) fn owner_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| unavailable(format!("{}: {error}", path.display())))
}

/// The file by the one name that it has whatever links lead to it: the names of lock and socket are made of it, and whoever comes by
/// another way must find the same.
pub(super) fn real_path(file: &Path) -> Result<PathBuf, Error> {
    let failed = |error| unavailable(format!("{}: {error}", file.display()));
    match fs::canonicalize(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = file
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).map_err(failed)?;
            Ok(file
                .file_name()
                .map_or(file.to_path_buf(), |name| folder.join(name)))
        }
        real => real.map_err(failed),
    }
}

/// The file beside the database whose name is the database's, and more.
pub(crate) fn beside(database: &Path, more: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(more);
    path.into()
}
