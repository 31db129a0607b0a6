//! Where things are: the repository and cargo's target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command;

/// The folders of this checkout.
pub(crate) struct Workspace {
    /// The repository's top folder.
    pub(crate) root: PathBuf,
    /// Cargo's target folder: `target`, unless the developer moved it.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo where it builds. The repository is the folder above this crate's.
    pub(crate) fn find() -> Result<Self> {
        let own_crate = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = own_crate
            .parent()
            .context("xtask's crate must be inside the repository")?
            .to_owned();
        let metadata = command::output(command::cargo(&root).args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let metadata: Value =
            serde_json::from_str(&metadata).context("`cargo metadata` did not answer with JSON")?;
        let target = metadata["target_directory"]
            .as_str()
            .context("`cargo metadata` names no target folder")?
            .into();
        Ok(Self { root, target })
    }

    /// The folder of the browser's cargo builds: apart from the host's, or the two would wait for each other's lock.
    pub(crate) fn wasm_target(&self) -> PathBuf {
        self.target.join("wasm")
    }

    /// The npm packages' folder: Playwright's tests, and wasm-opt.
    pub(crate) fn end2end(&self) -> PathBuf {
        self.root.join("end2end")
    }

    /// The text of a file of the repository.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        let path: &Path = &self.root.join(path);
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    }
}
