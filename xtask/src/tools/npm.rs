//! Installs the npm packages of end2end: Playwright for tests, binaryen for release bundles.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::progress;
use crate::workspace::Workspace;

/// Installs the packages of `end2end/package-lock.json` unless they are already installed.
///
/// # Errors
/// If there is no Node.js or the installation fails.
pub(crate) fn packages(workspace: &Workspace) -> Result<()> {
    let wanted = workspace.read("end2end/package-lock.json")?;
    // A copy of the lock file, written when the installation is complete.
    let installed = workspace
        .end2end()
        .join("node_modules/.installed-package-lock.json");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    if command::on_path(&["npm"]).is_none() {
        bail!(
            "Node.js with npm is needed for release bundles and for the tests: install it (https://nodejs.org, version 20 or later)"
        );
    }
    progress::step(
        "Installing the npm packages of end2end",
        "20 s, again when package-lock.json changes",
        || {
            // Tests use Debian's Chromium.
            let mut install = Command::new("npm");
            install
                .args(["ci", "--no-audit", "--no-fund"])
                .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
                .current_dir(workspace.end2end());
            command::run(&mut install).context("npm needs the network")?;
            std::fs::write(&installed, &wanted)
                .with_context(|| format!("cannot write {}", installed.display()))
        },
    )
}

/// The folder with the `wasm-opt` that Trunk starts: a script that runs `bundle/shrink.mjs` with binaryen.
///
/// # Errors
/// As [`packages`].
pub(crate) fn wasm_opt(workspace: &Workspace) -> Result<PathBuf> {
    packages(workspace)?;
    let package = workspace.end2end().join("node_modules/binaryen");
    let library = package.join("index.js");
    if !library.is_file() {
        bail!(
            "end2end/package-lock.json has no binaryen: {} is missing",
            library.display()
        );
    }
    let script = workspace.root.join("xtask/src/bundle/shrink.mjs");
    let folder = workspace.target.join("tools/bin");
    let shim = folder.join("wasm-opt");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // Trunk first runs it with --version to test that it exists.
    let text = format!(
        "#!/bin/sh\n\
         if [ \"$1\" = --version ]; then exec node '{}' --version; fi\n\
         exec node '{}' '{}' \"$@\"\n",
        package.join("bin/wasm-opt").display(),
        script.display(),
        library.display()
    );
    command::write_program(&shim, &text)?;
    Ok(folder)
}
