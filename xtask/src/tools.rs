//! Installs the tools that are missing on this machine.
//!
//! Versions are pinned here, in `Cargo.lock` (wasm-bindgen) and in `end2end/package-lock.json` (wasm-opt, Playwright). Compiled tools are in the
//! user's cache, named by version, so that a fresh clone finds them.

mod compiled;
mod debian;
mod npm;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::progress;
use crate::workspace::Workspace;
use compiled::Compiled;

pub(crate) use debian::{
    CHROMIUM_SETTING, GO_LIBRARIES, chromium, client_toolchains, gateways, installed_postgres,
    is_root, postgres_binaries, process_tools,
};
pub(crate) use npm::{packages as npm_packages, wasm_opt};
pub(crate) use python::{client_generators, envoy, idpyoidc, schemathesis};

/// The version of Trunk, which builds the browser's bundle.
const TRUNK: &str = "0.21.14";
/// The version of oha, the load generator of the benchmarks.
pub(crate) const OHA: &str = "1.16.0";
/// The version of cargo-deny, which checks licences, sources and advisories of crates.
const CARGO_DENY: &str = "0.20.2";
/// The compile target of the browser's bundle.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs the tools that Trunk needs and returns the folders that must be in PATH while it runs.
///
/// # Errors
/// If a tool is missing and cannot be installed.
pub(crate) fn for_bundle(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    wasm_target(workspace)?;
    let trunk = compiled::folder_of(&Compiled {
        package: "trunk",
        program: "trunk",
        version: TRUNK,
        options: &["--locked", "--no-default-features", "--features", "rustls"],
        // Trunk mostly waits for other programs; without optimisation it compiles in half the time.
        optimisation: "0",
        usually: "2 min, once",
    })?;
    // Trunk requires the version that the bundle is linked with.
    let version = locked_version(&workspace.read("Cargo.lock")?, "wasm-bindgen")?;
    let wasm_bindgen = compiled::folder_of(&Compiled {
        package: "wasm-bindgen-cli",
        program: "wasm-bindgen",
        version: &version,
        // Without --locked: the package's lock file does not resolve.
        options: &["--bin", "wasm-bindgen"],
        optimisation: "1",
        usually: "2 min, once",
    })?;
    Ok(vec![trunk, wasm_bindgen])
}

/// Installs oha if this version is missing, and returns its path.
///
/// # Errors
/// If it cannot be installed.
pub(crate) fn oha() -> Result<PathBuf> {
    let folder = compiled::folder_of(&Compiled {
        package: "oha",
        program: "oha",
        version: OHA,
        // Default features, because oha does not compile without TLS.
        options: &["--locked"],
        // Optimised, because oha shares the machine with the measured server.
        optimisation: "2",
        usually: "5 min, once",
    })?;
    Ok(folder.join("oha"))
}

/// Installs cargo-deny if this version is missing, and returns its path.
///
/// # Errors
/// If it cannot be installed.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let folder = compiled::folder_of(&Compiled {
        package: "cargo-deny",
        program: "cargo-deny",
        version: CARGO_DENY,
        options: &["--locked"],
        optimisation: "1",
        usually: "2 min, once",
    })?;
    Ok(folder.join("cargo-deny"))
}

/// Installs Clippy and rustfmt, which rustup's minimal profile lacks.
///
/// # Errors
/// If they are missing and rustup cannot add them.
pub(crate) fn for_checks(workspace: &Workspace) -> Result<()> {
    for (component, subcommand) in [("clippy", "clippy"), ("rustfmt", "fmt")] {
        if command::succeeds(command::cargo(&workspace.root).args([subcommand, "--version"])) {
            continue;
        }
        progress::step(&format!("Installing {component}"), "10 s, once", || {
            command::run(
                Command::new("rustup")
                    .args(["component", "add", component])
                    .current_dir(&workspace.root),
            )
        })?;
    }
    Ok(())
}

/// Installs the standard library for the browser's target.
///
/// # Errors
/// If it is missing and rustup cannot add it.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    let sysroot = command::output(
        Command::new("rustc")
            .args(["--print", "sysroot"])
            .current_dir(&workspace.root),
    )?;
    if Path::new(sysroot.trim())
        .join("lib/rustlib")
        .join(WASM_TARGET)
        .join("lib")
        .is_dir()
    {
        return Ok(());
    }
    progress::step(
        &format!("Installing the compiler's target {WASM_TARGET}"),
        "10 s, once",
        || {
            command::run(Command::new("rustup").args(["target", "add", WASM_TARGET]).current_dir(&workspace.root)).context(
            "the standard library for WebAssembly comes from rustup (https://rustup.rs), over the network: `rustup target add wasm32-unknown-unknown`",
        )
        },
    )
}

/// The version of `package` in the text of a `Cargo.lock`.
///
/// # Errors
/// If the package is missing or has several versions.
fn locked_version(lock: &str, package: &str) -> Result<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut versions = Vec::new();
    while lines.any(|line| line == name) {
        let version = lines
            .next()
            .and_then(|line| line.strip_prefix("version = \""))
            .and_then(|rest| rest.strip_suffix('"'));
        versions
            .push(version.with_context(|| format!("Cargo.lock has {package} without a version"))?);
    }
    match versions.as_slice() {
        [version] => Ok((*version).to_owned()),
        [] => bail!("Cargo.lock has no {package}"),
        _ => bail!(
            "Cargo.lock has several versions of {package} ({}); Trunk supports one",
            versions.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"registry\"\n\n\
                        [[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"0.2.131\"\n";

    #[test]
    fn a_version_is_found_by_the_packages_whole_name() {
        assert_eq!(
            locked_version(LOCK, "wasm-bindgen").expect("it is there"),
            "0.2.130"
        );
        assert_eq!(
            locked_version(LOCK, "wasm-bindgen-macro").expect("it is there"),
            "0.2.131"
        );
        assert!(locked_version(LOCK, "wasm").is_err());
    }

    #[test]
    fn two_versions_of_a_package_are_an_error() {
        let twice = format!("{LOCK}\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.99\"\n");
        let message = locked_version(&twice, "wasm-bindgen")
            .expect_err("one is too many")
            .to_string();
        assert!(message.contains("0.2.130, 0.2.99"), "{message}");
    }

    #[test]
    fn this_repositorys_lock_file_has_the_pinned_wasm_bindgen_only() {
        let workspace = Workspace::find().expect("tests run in the repository");
        let version = locked_version(
            &workspace.read("Cargo.lock").expect("committed"),
            "wasm-bindgen",
        )
        .expect("one version");
        let manifest = workspace.read("Cargo.toml").expect("committed");
        assert!(
            manifest.contains(&format!("wasm-bindgen = \"={version}\"")),
            "Cargo.toml must pin wasm-bindgen {version} exactly"
        );
    }
}
