//! A path that README.md or ARCHITECTURE.md names is there. Documents rot where nothing turns red.

use std::{fs, path::Path};

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "docs/benchmarks.md",
    "docs/gateways/README.md",
];

/// The rooms of the repository: what begins with one of them is a path.
const ROOMS: [&str; 9] = [
    "app/",
    "domain/",
    "end2end/",
    "frontend/",
    "public/",
    "server/",
    "style/",
    "xtask/",
    "docs/",
];

#[test]
fn every_path_that_a_document_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace");
    for document in DOCUMENTS {
        let text = fs::read_to_string(root.join(document)).expect(document);
        let paths: Vec<&str> = paths_in(&text).collect();
        assert!(!paths.is_empty(), "{document} names its rooms");
        for path in paths {
            assert!(
                root.join(path).exists(),
                "{document} names {path}, which is not there"
            );
        }
    }
}

/// What stands between backquotes, parentheses or at the beginning of a line of a map and begins with a room.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    text.split([' ', '\n', '`', '(', ')', ',', ';', '"', '|'])
        .map(|word| word.trim_end_matches(['.', ':']))
        .filter(|word| ROOMS.iter().any(|room| word.starts_with(room)))
        .filter(|word| !word.contains(['*', '{', '<', '…']))
}
