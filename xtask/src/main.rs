//! `cargo xtask`: what the README's commands run. Each command installs what it lacks, says so, and shows its progress.

#![expect(
    clippy::disallowed_methods,
    reason = "a build tool, not the product: it reads its own environment and polls other programs"
)]

mod bench;
mod bundle;
mod clients;
mod command;
mod contract;
mod deny;
mod dependencies;
mod postgres;
mod precompress;
mod profile;
mod progress;
mod scratch;
mod screenshots;
mod serve;
mod size;
mod soak;
mod stylesheet;
mod suite;
mod test;
mod tools;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};

use bench::Effort;
use profile::Profile;
use suite::Selection;
use workspace::Workspace;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Builds, serves and tests Latchkey"
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Make target/release/latchkey, with the browser's bundle inside it
    Build,
    /// Build, then run `latchkey serve`; what follows `--` goes to it (`cargo xtask serve -- --demo`)
    Serve {
        /// Serve the release build
        #[arg(long)]
        release: bool,
        /// Arguments of `latchkey serve`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Check what can be checked in a minute: format, clippy, rules and unit tests
    Check,
    /// Run every check and test, the quick ones first; or some: `cargo xtask test p34_ --only store,http`
    Test {
        /// Only tests whose names contain one of these
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Only these parts: test targets, `unit`, format, dependencies, clippy, size, contract, client, clients, lighthouse, journeys
        #[arg(long, value_name = "PART", value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Run the long forms of what the tests do in short: an hour and a half for all
    Soak {
        /// Those alone
        #[arg(value_enum, value_name = "PART")]
        parts: Vec<soak::Part>,
    },
    /// Measure what the check of a key costs, what the server takes and how quick its pages are; write docs/benchmarks.md, fail beyond a limit
    Bench {
        /// Try the command itself, in the debug build: its figures mean nothing, are judged by no limit and written nowhere
        #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
        quick: bool,
        /// How often each load is measured
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..))]
        rounds: u32,
        /// How long each load lasts, in seconds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..))]
        seconds: u64,
    },
    /// Generate clients from the API's document, compile and use them; `test` does it too
    Clients,
    /// Print the bytes that a browser downloads; fail above the limit
    Size,
    /// Take the README's picture of the list; with `--all FOLDER`, one of every page and dialog
    Screenshots {
        /// Where to put pictures of everything instead
        #[arg(long, value_name = "FOLDER")]
        all: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for cause in error.chain() {
                progress::say(&format!("error: {cause}"));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::find()?;
    match task {
        Task::Build => {
            let binary = serve::build_binary(&workspace, Profile::Release)?;
            progress::say(&format!("made {}", binary.display()));
            Ok(())
        }
        Task::Serve { release, arguments } => {
            let profile = if release {
                Profile::Release
            } else {
                Profile::Debug
            };
            serve::serve(&workspace, profile, &arguments)
        }
        Task::Check => test::check(&workspace),
        Task::Test { names, only } if names.is_empty() && only.is_empty() => test::test(&workspace),
        Task::Test { names, only } => {
            test::test_some(&workspace, &Selection::new(&workspace, &only, &names)?)
        }
        Task::Soak { parts } => soak::soak(&workspace, &parts),
        Task::Bench {
            quick,
            rounds,
            seconds,
        } => {
            let effort = if quick {
                Effort::QUICK
            } else {
                Effort::full(rounds, Duration::from_secs(seconds))
            };
            bench::bench(&workspace, &effort)
        }
        Task::Clients => clients::clients(&workspace),
        Task::Size => size::size(&workspace),
        Task::Screenshots { all } => screenshots::screenshots(&workspace, all.as_deref()),
    }
}
