//! The paths of the repository and of cargo's target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The folders of this checkout.
pub(crate) struct Workspace {
    /// The repository's top folder.
    pub(crate) root: PathBuf,
    /// Cargo's target folder; `target` by default.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the repository, which is the parent folder of this crate, and asks cargo for its target folder.
    pub(crate) fn find() -> Result<Self> {
        let own_crate = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own_crate
            .parent()
            .context("xtask's crate has no parent folder")?
            .to_owned();
        let metadata = command::output(command::cargo(&root).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let metadata: Value = serde_json::from_str(&metadata)
            .context("the output of `cargo metadata` is not JSON")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("the output of `cargo metadata` has no target folder")?
            .into();
        Ok(Self { root, target })
    }

    /// The target folder for the browser. It is separate from the host's, so that the builds do not wait for each other's lock.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The folder of the Playwright tests and npm packages.
    pub(crate) fn end2end(&self) -> PathBuf {
        self.root.join("end2end")
    }

    /// The text of a file of the repository.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        let path: &Path = &self.root.join(path);
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    }
}
