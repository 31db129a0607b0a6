//! `cargo xtask`: the commands of the README. Each command installs the tools that are missing and prints its progress.

#![expect(
    clippy::disallowed_methods,
    reason = "a build tool reads the environment and polls other programs"
)]

mod background;
mod bench;
mod bundle;
mod clients;
mod command;
mod contract;
mod deny;
mod dependencies;
mod instance;
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

use bench::effort::Effort;
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
    /// Build target/release/latchkey with the browser's bundle in it
    Build,
    /// Build and run `latchkey serve`, with the arguments after `--` (`cargo xtask serve -- --demo`)
    Serve {
        /// Serve the release build
        #[arg(long)]
        release: bool,
        /// Arguments of `latchkey serve`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run what takes a minute: format, clippy, rules and unit tests
    Check,
    /// Run every check and test, the quick ones first, or a selection: `cargo xtask test p34_ --only store,http`
    Test {
        /// Only tests whose names contain one of these
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Only these parts: test targets, `unit`, format, dependencies, clippy, size, contract, client, clients, lighthouse, journeys
        #[arg(long, value_name = "PART", value_delimiter = ',')]
        only: Vec<String>,
    },
    /// Run the long forms of tests: an hour and a half for all
    Soak {
        /// These only
        #[arg(value_enum, value_name = "PART")]
        parts: Vec<soak::Part>,
    },
    /// Measure the check of a key, the server's memory and the pages; write docs/benchmarks.md and .json; fail if a figure is beyond its limit
    Bench {
        /// Try the command itself with the debug build: no figure is judged or written
        #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
        quick: bool,
        /// Number of rounds; each measures every load
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..))]
        rounds: u32,
        /// Only these parts: loads, flood, pages, functions, console, postgres. Of these, only console and postgres write their tables into the document
        #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
        only: Vec<bench::Part>,
        /// How long each load lasts, in seconds
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(2..))]
        seconds: u64,
    },
    /// Generate clients from the OpenAPI document, compile and run them; `test` includes this
    Clients,
    /// Print how many bytes a browser downloads; fail above the limit
    Size,
    /// Take the screenshots in docs/screenshots; with `--all FOLDER`, one of every page, dialog and state
    Screenshots {
        /// Folder for screenshots of every page and dialog
        #[arg(long, value_name = "FOLDER")]
        all: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for cause in error.chain() {
                progress::print(&format!("error: {cause}"));
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
            progress::print(&format!("built {}", binary.display()));
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
            only,
            seconds,
        } => {
            let effort = if quick {
                Effort::QUICK
            } else {
                Effort::full(rounds, Duration::from_secs(seconds))
            };
            bench::bench(&workspace, &effort, &only)
        }
        Task::Clients => clients::clients(&workspace),
        Task::Size => size::size(&workspace),
        Task::Screenshots { all } => screenshots::screenshots(&workspace, all.as_deref()),
    }
}
