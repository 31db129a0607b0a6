//! `cargo xtask bench`: what the check of a key costs, in memory and over HTTP, and what the server takes.
#![expect(
    clippy::print_stdout,
    reason = "the tables are what `cargo xtask bench` is asked for"
)]

mod criterion;
mod flood;
mod footprint;
mod load;
mod machine;
mod oha;
mod pages;
mod report;
mod rounds;
mod secret;
mod server;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bundle;
use crate::command;
use crate::profile::Profile;
use crate::progress;
use crate::tools;
use crate::workspace::Workspace;
use machine::Circumstances;
use report::Report;
use rounds::Contest;
use server::Installation;

/// What is written.
const DOCUMENT: &str = "docs/benchmarks.md";

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// A try of the command itself: on the debug build, and nothing comes of it.
    is_quick: bool,
    tenants: u32,
    keys_each: u32,
    /// Keys that do not exist, to see whether memory grows.
    unknown: usize,
    rounds: u32,
    /// How long each load lasts in each round.
    time: Duration,
    /// How often Lighthouse judges each page.
    audits: u32,
}

impl Effort {
    /// Two minutes, most of them for the compiler.
    pub(crate) const QUICK: Self = Self {
        is_quick: true,
        tenants: 10,
        keys_each: 100,
        unknown: 1_000,
        rounds: 1,
        time: Duration::from_secs(1),
        audits: 1,
    };

    /// What the limits are for.
    pub(crate) const fn full(rounds: u32, time: Duration) -> Self {
        Self {
            is_quick: false,
            tenants: 1_000,
            keys_each: 100,
            unknown: 1_000_000,
            rounds,
            time,
            audits: 5,
        }
    }

    const fn profile(&self) -> Profile {
        if self.is_quick {
            Profile::Debug
        } else {
            Profile::Release
        }
    }

    /// As one types it.
    fn command(&self) -> String {
        if self.is_quick {
            return "cargo xtask bench --quick".to_owned();
        }
        let seconds = self.time.as_secs();
        format!(
            "cargo xtask bench --rounds {} --seconds {seconds}",
            self.rounds
        )
    }
}

/// Measures everything, prints it, writes [`DOCUMENT`] and fails above a limit.
///
/// # Errors
/// When something cannot be installed, does not compile, answers wrongly, or is over its limit.
pub(crate) fn bench(workspace: &Workspace, effort: &Effort) -> Result<()> {
    let circumstances = Circumstances::now(workspace)?;
    let oha = tools::oha()?;
    let binary = build_binary(workspace, effort.profile())?;
    let pages = pages::measure(workspace, effort)?;
    let timings = criterion::run(workspace, effort)?;
    let installation = progress::step("Filling the database", "20 s", || {
        Installation::fill(&binary, effort.tenants, effort.keys_each)
    })?;
    // One server at a time has the database.
    let flood = flood::measure(&installation)?;
    let bare = installation.hello()?;
    let (footprint, latchkey) = footprint::measure(&installation, effort)?;
    let contest = Contest {
        oha: &oha,
        installation: &installation,
        latchkey: &latchkey,
        bare: &bare,
    };
    let rounds = progress::step("Loads over HTTP, in rounds", "8 min", || {
        contest.run(effort)
    })?;
    let report = Report {
        circumstances,
        effort: *effort,
        rounds,
        footprint,
        flood,
        pages,
        timings,
    };
    if effort.is_quick {
        println!("{}", report.document());
        return Ok(());
    }
    println!("{}", report.tables());
    let document = workspace.root.join(DOCUMENT);
    fs::write(&document, report.document())
        .with_context(|| format!("cannot write {}", document.display()))?;
    progress::say(&format!("wrote {DOCUMENT}"));
    report.judge()
}

/// Builds `latchkey-bench`: a program of its own, beside the one that is shipped.
fn build_binary(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    bundle::build(workspace, profile)?;
    let what = format!(
        "Compiling the {} binary of the benchmarks",
        profile.folder()
    );
    progress::step(&what, "8 min the first time, then 1 min", || {
        let mut build = command::cargo(&workspace.root);
        build.args([
            "build",
            "--bin",
            "latchkey-bench",
            "--features",
            "server/bench",
        ]);
        if profile == Profile::Release {
            build.arg("--release");
        }
        command::run(&mut build)
    })?;
    Ok(workspace
        .target
        .join(profile.folder())
        .join("latchkey-bench"))
}
