//! `latchkey backup`

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failure, Session};

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The file to make; it must not be there yet
    file: PathBuf,
}

impl BackupArguments {
    pub(super) async fn run(self, session: &Session) -> Result<(), Failure> {
        let failed = |error| Failure::new(format!("cannot listen for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        // Whoever stops it finds no half a file.
        let backup = tokio::select! {
            made = session.store.back_up(&self.file, session.now) => made?,
            _ = interrupt.recv() => return Err(Failure::new("interrupted")),
            _ = terminate.recv() => return Err(Failure::new("interrupted")),
        };
        session
            .output
            .text(&format!("{}\n", backup.path.display()), &backup)
    }
}
