//! Prepares what the server embeds: the browser's bundle that Trunk built, and the commit that it was built from.

use std::{path::Path, process::Command};

/// Names the commit, for builds without git such as a source package's.
const COMMIT_SETTING: &str = "SOURCE_COMMIT";

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let release = environment("PROFILE").is_some_and(|profile| profile == "release");
    embed_bundle(if release { "release" } else { "debug" })?;
    embed_commit(release);
    Ok(())
}

/// A plain `cargo build` must work without Trunk too, so the two folders are made when absent: the pages then come without scripts.
fn embed_bundle(profile: &str) -> std::io::Result<()> {
    for folder in ["../dist/debug", "../dist/release"] {
        std::fs::create_dir_all(folder)?;
    }
    // Only the folder of this profile: a new release bundle must not compile the debug server again.
    println!("cargo:rerun-if-changed=../dist/{profile}");
    Ok(())
}

/// Sets `LATCHKEY_COMMIT` for `src/version.rs`.
fn embed_commit(release: bool) {
    println!("cargo:rerun-if-env-changed={COMMIT_SETTING}");
    let named = environment(COMMIT_SETTING).filter(|commit| !commit.is_empty());
    // A debug build asks git nothing: a new commit must not compile the tests again.
    let commit = named.or_else(|| release.then(commit_of_checkout).flatten());
    println!(
        "cargo:rustc-env=LATCHKEY_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

/// The commit that is checked out. `None` without git, outside of a repository, and inside of another project's repository.
fn commit_of_checkout() -> Option<String> {
    if git(&["rev-parse", "--show-prefix"])? != "server/" {
        return None;
    }
    // Each commit and each checkout adds a line to the first.
    for file in ["logs/HEAD", "HEAD"] {
        let file = git(&["rev-parse", "--git-path", file])?;
        if Path::new(&file).is_file() {
            println!("cargo:rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| answer.trim().to_owned())
}

fn environment(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "Cargo speaks to a build script by its environment"
    )]
    std::env::var(name).ok()
}
