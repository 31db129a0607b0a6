//! `latchkey config check`.

use std::process::ExitCode;

use clap::Subcommand;

use crate::{config, failure::Failure, output::Output};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the settings in force, without secrets. Exits with 2 if one is invalid
    Check,
}

impl ConfigCommand {
    /// Needs no database, so that the settings of a machine can be checked before the first start.
    pub(super) fn run(&self, output: Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Check => {
                let (settings, errors) = config::report();
                output.list(&settings, "there is no setting")?;
                for error in &errors {
                    eprintln!("{error}");
                }
                Ok(if errors.is_empty() {
                    ExitCode::SUCCESS
                } else {
                    ExitCode::from(super::INVALID)
                })
            }
        }
    }
}
