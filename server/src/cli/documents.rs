//! `latchkey completions` and `latchkey man`: files for shells and for `man`, made from the definition of the command line.

use std::{fs, path::PathBuf};

use clap::{Args, Command};
use clap_complete::Shell;

use crate::{failure::Failure, output::Output};

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

impl CompletionsArguments {
    /// Prints the script that completes the arguments of `command`.
    pub(super) fn run(&self, mut command: Command, output: Output) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "latchkey", &mut script);
        output.file(&script)
    }
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// The folder, which is created if it does not exist
    folder: PathBuf,
}

impl ManArguments {
    /// Writes one page for `command` and one for each of its subcommands.
    pub(super) fn run(&self, command: Command, output: Output) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            Failure::new(format!(
                "cannot write to '{}': {error}",
                self.folder.display()
            ))
        };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(command, &self.folder).map_err(failed)?;
        output.note(&format!(
            "Read them with `man -l {}/latchkey.1`",
            self.folder.display()
        ));
        Ok(())
    }
}
