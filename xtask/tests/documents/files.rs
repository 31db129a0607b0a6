//! Reads the files of the repository.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders of generated files.
const GENERATED: [&str; 6] = [
    ".git",
    "dist",
    "node_modules",
    "playwright-report",
    "target",
    "test-results",
];

/// The repository's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace")
}

/// Every file with one of these extensions: its path relative to the root folder, and its text.
pub(crate) fn texts(endings: &[&str]) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            let name = name_of(&path);
            if path.is_dir() {
                if !GENERATED.contains(&name) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                texts.push((from_root(&path), fs::read_to_string(&path).expect("UTF-8")));
            }
        }
    }
    assert!(!texts.is_empty(), "files with {endings:?}");
    texts.sort();
    texts
}

fn name_of(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn from_root(path: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root()).expect("below the root").into();
    path.to_str().expect("UTF-8").to_owned()
}
