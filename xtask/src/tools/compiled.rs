//! Compiles tools of crates.io into the user's cache.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::command;
use crate::progress;

/// A program of crates.io and its version.
pub(crate) struct Compiled<'a> {
    pub(crate) package: &'a str,
    pub(crate) program: &'a str,
    pub(crate) version: &'a str,
    /// Additional arguments of `cargo install`.
    pub(crate) options: &'a [&'a str],
    /// The compiler's `opt-level`.
    pub(crate) optimisation: &'a str,
    /// The usual time of the installation on two cores.
    pub(crate) usually: &'a str,
}

/// Installs the program if this version is missing, and returns its folder.
///
/// The installation is renamed to its final path when it is complete, so that an interrupted one is never used.
///
/// # Errors
/// If it does not compile or the cache cannot be written.
pub(crate) fn folder_of(tool: &Compiled) -> Result<PathBuf> {
    let tools = cache()?;
    let name = format!("{}-{}", tool.program, tool.version);
    let place = tools.join(&name);
    let folder = place.join("bin");
    if !folder.join(tool.program).is_file() {
        let what = format!(
            "Installing {} {} into {}",
            tool.package,
            tool.version,
            place.display()
        );
        let unfinished = tools.join(format!(".unfinished-{name}"));
        progress::step(&what, tool.usually, || {
            std::fs::create_dir_all(&unfinished)
                .with_context(|| format!("cannot make {}", unfinished.display()))?;
            install(tool, &unfinished)?;
            put(&unfinished, &place, tool.program)
        })?;
    }
    Ok(folder)
}

fn install(tool: &Compiled, root: &Path) -> Result<()> {
    let mut install = command::cargo(root);
    install
        .args(["install", tool.package, "--version", tool.version, "--root"])
        .arg(root)
        .args(tool.options);
    // The release profiles of these programs compile for 10 minutes; a run of seconds does not need the additional speed.
    install.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    install.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", tool.optimisation);
    // Without this, cargo advises to change PATH.
    install.env("PATH", command::path_with(&[root.join("bin")])?);
    // The tool is not part of this repository's build.
    install.env_remove("CARGO_TARGET_DIR");
    command::run(&mut install).context(
        "compiling it needs the network (crates.io) and a C compiler (apt-get install gcc libc6-dev)",
    )
}

/// Moves a complete installation to its path, unless another run has already moved one there.
fn put(unfinished: &Path, place: &Path, program: &str) -> Result<()> {
    let file = Path::new("bin").join(program);
    ensure!(
        unfinished.join(&file).is_file(),
        "cargo install built no {program}"
    );
    let superfluous = if place.join(&file).is_file() {
        unfinished
    } else {
        place
    };
    if superfluous.exists() {
        std::fs::remove_dir_all(superfluous)
            .with_context(|| format!("cannot remove {}", superfluous.display()))?;
    }
    if unfinished.exists() {
        std::fs::rename(unfinished, place)
            .with_context(|| format!("cannot move the installation to {}", place.display()))?;
    }
    Ok(())
}

/// The folder of the tools in the user's cache.
pub(super) fn cache() -> Result<PathBuf> {
    let cache =
        match std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()) {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(std::env::var_os("HOME").context(
                "neither XDG_CACHE_HOME nor HOME is set, so there is no folder for tools",
            )?)
            .join(".cache"),
        };
    Ok(cache.join("latchkey").join("tools"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, file: &str) -> PathBuf {
        let folder = std::env::temp_dir()
            .join(format!("latchkey-xtask-put-{}", std::process::id()))
            .join(name);
        std::fs::create_dir_all(folder.join("bin")).expect("the temporary folder is writable");
        std::fs::write(folder.join("bin").join(file), name)
            .expect("the temporary folder is writable");
        folder
    }

    #[test]
    fn a_complete_installation_replaces_an_incomplete_one_only() {
        let place = tree("place", "half-copied");
        put(&tree("second", "tool"), &place, "tool").expect("complete");
        assert_eq!(
            std::fs::read_to_string(place.join("bin/tool")).expect("moved"),
            "second"
        );
        assert!(!place.join("bin/half-copied").exists());

        let late = tree("late", "tool");
        put(&late, &place, "tool").expect("complete too");
        assert_eq!(
            std::fs::read_to_string(place.join("bin/tool")).expect("kept"),
            "second"
        );
        assert!(!late.exists());

        let incomplete = tree("incomplete", "other");
        assert!(put(&incomplete, &place, "tool").is_err());
        std::fs::remove_dir_all(place.parent().expect("it has one")).ok();
    }
}
