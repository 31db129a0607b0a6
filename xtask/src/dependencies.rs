//! Checks that no crate of the server is in the browser's bundle, where it would only add bytes.

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::command;
use crate::workspace::Workspace;

/// Crates that only the server may use.
const SERVER_CRATES: [&str; 15] = [
    "argon2",
    "axum",
    "axum-core",
    "hyper",
    "hyper-util",
    "leptos_axum",
    "libsqlite3-sys",
    "mimalloc",
    "rust-embed",
    "server",
    "socket2",
    "tokio",
    "tower-http",
    "tracing-subscriber",
    "zxcvbn",
];
/// Name prefixes of such crates: `sqlx-core`, `sea-orm-migration` …
const SERVER_FAMILIES: [&str; 4] = ["sea-orm", "sea-query", "sqlx", "tokio-"];

/// Fails if a server crate is among the dependencies of the browser's bundle.
pub(crate) fn check_browser_bundle(workspace: &Workspace) -> Result<()> {
    let tree = command::output(command::cargo(&workspace.root).args([
        "tree",
        "--package",
        "frontend",
        "--target",
        "wasm32-unknown-unknown",
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))?;
    let names = crate_names(&tree);
    // An empty list must fail.
    if !names.contains("frontend") || !names.contains("app") {
        bail!("`cargo tree` did not list the browser's crates:\n{tree}");
    }
    let found: Vec<&str> = names
        .into_iter()
        .filter(|name| is_server_crate(name))
        .collect();
    if !found.is_empty() {
        bail!(
            "server crates in the browser's bundle: {}\n`cargo tree --package frontend --target wasm32-unknown-unknown --invert {}` shows why the first one is there",
            found.join(", "),
            found[0]
        );
    }
    Ok(())
}

/// The crate names of `cargo tree --prefix none --format {p}`: the first word of each line.
fn crate_names(tree: &str) -> BTreeSet<&str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn is_server_crate(name: &str) -> bool {
    SERVER_CRATES.contains(&name)
        || SERVER_FAMILIES
            .iter()
            .any(|family| name.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crate_names_are_read_from_every_form_of_line() {
        let tree = "frontend v0.1.0 (/somewhere/frontend)\nleptos v0.8.23\nleptos v0.8.23 (*)\n\nserde_derive v1.0.0 (proc-macro)\n";
        assert_eq!(
            crate_names(tree).into_iter().collect::<Vec<_>>(),
            ["frontend", "leptos", "serde_derive"]
        );
    }

    #[test]
    fn server_crates_are_recognised_by_whole_names() {
        for name in [
            "sea-orm",
            "sea-orm-migration",
            "sqlx",
            "sqlx-sqlite",
            "argon2",
            "tokio",
            "tokio-util",
            "axum",
            "hyper",
            "server",
        ] {
            assert!(is_server_crate(name), "{name}");
        }
        for name in [
            "server_fn",
            "leptos",
            "leptos_server",
            "http",
            "async-lock",
            "uuid",
            "app",
            "domain",
            "frontend",
        ] {
            assert!(!is_server_crate(name), "{name}");
        }
    }
}
