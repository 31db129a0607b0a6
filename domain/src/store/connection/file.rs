//! Files of a SQLite database: names and permissions.

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use crate::{Error, store::error::unavailable};

/// Opens a file for writing and creates it if it is missing. Only the owner can read a new file.
pub(crate) fn owner_file(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| unavailable(format!("{}: {error}", path.display())))
}

/// The canonical path of the file, whatever links lead to it: the names of lock and control socket derive from it, so every process must
/// find the same path. The file need not exist, but its folder must.
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

/// The path of a file beside the database: the path of the database with `more` appended.
pub(crate) fn beside(database: &Path, more: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(more);
    path.into()
}
