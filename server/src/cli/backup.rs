//! `latchkey backup`

use std::path::PathBuf;

use clap::Args;
use domain::store::backup::back_up;
use tokio::signal::unix::{SignalKind, signal};

use crate::{clock, config::Config, failure::Failure, output::Output};

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The file to make; it must not be there yet
    file: PathBuf,
}

impl BackupArguments {
    pub(super) async fn run(self, config: &Config, output: Output) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("cannot listen for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let url = config.store_options(false).database_url;
        // An interrupted backup leaves no incomplete file behind.
        let backup = tokio::select! {
            made = back_up(&url, &self.file, clock::now()) => made?,
            _ = interrupt.recv() => return Err(Failure::new("interrupted")),
            _ = terminate.recv() => return Err(Failure::new("interrupted")),
        };
        output.text(&format!("{}\n", backup.path.display()), &backup)
    }
}
