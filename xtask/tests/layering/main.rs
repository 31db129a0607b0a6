//! Checks that the files of a crate do not import each other in a circle, and that those of `domain` only import downwards.

mod circles;
mod imports;
mod layers;
mod made_up;
mod modules;

use std::{fs, path::Path};

use circles::{circles, describe};
use imports::Imports;
use layers::{LAYERS, UPWARDS, unused, violations};
use modules::Crate;

/// The root file of each crate.
const CRATES: [&str; 5] = [
    "app/src/lib.rs",
    "domain/src/lib.rs",
    "frontend/src/main.rs",
    "server/src/lib.rs",
    "xtask/src/main.rs",
];

fn imports_of(root: &str) -> Imports {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate is in the workspace");
    let read = |file: &Path| fs::read_to_string(workspace.join(file)).ok();
    Crate::parse(Path::new(root), &read).imports()
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let found: Vec<_> = CRATES.into_iter().map(circles_of).collect();
    assert!(found.iter().all(String::is_empty), "{}", found.join("\n"));
}

#[test]
fn the_modules_of_domain_import_downwards_only() {
    let imports = imports_of("domain/src/lib.rs");
    let upwards = violations(&imports, "domain/src", LAYERS, UPWARDS);
    assert!(upwards.is_empty(), "{}", upwards.join("\n"));
    let unused = unused(&imports, "domain/src", LAYERS);
    assert!(unused.is_empty(), "no such modules: {unused:?}");
}

/// The circles of a crate as text; empty if there is none.
fn circles_of(root: &str) -> String {
    let imports = imports_of(root);
    let circles = circles(&imports);
    let described = circles.iter().map(|circle| describe(&imports, circle));
    described.collect::<Vec<_>>().join("\n")
}
