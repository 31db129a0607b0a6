//! `cargo xtask bench`: measures the cost of a key check and the resource use of the server.
#![expect(clippy::print_stdout, reason = "the command prints its table")]

mod connection;
mod criterion;
pub(crate) mod effort;
mod figure;
mod flood;
mod footprint;
mod load;
mod oha;
mod pages;
mod report;
mod rounds;
mod server;

use std::fs;

use anyhow::{Context, Result};

use crate::bundle;
use crate::profile::Profile;
use crate::progress;
use crate::serve;
use crate::tools;
use crate::workspace::Workspace;
use effort::Effort;
use report::Report;
use rounds::Contest;
use server::Installation;

/// The document with the explanation of the figures. The table in it is replaced.
const DOCUMENT: &str = "docs/benchmarks.md";
/// All figures, as JSON.
const RESULTS: &str = "docs/benchmarks.json";

/// Measures everything, prints one table, writes [`RESULTS`] and the table of [`DOCUMENT`], and fails above a limit.
pub(crate) fn bench(workspace: &Workspace, effort: &Effort) -> Result<()> {
    let circumstances = report::circumstances(workspace, effort)?;
    let oha = tools::oha()?;
    bundle::build(workspace, effort.profile)?;
    let arguments = ["--features", "server/bench"];
    let binary = serve::compile(workspace, effort.profile, "latchkey-bench", &arguments)?;
    let pages = pages::measure(workspace, effort)?;
    let functions = criterion::run(workspace, effort)?;
    let installation = progress::step("Filling the database", "20 s", || {
        Installation::fill(&binary, effort)
    })?;
    let archive = footprint::measure_archive(&binary, effort)?;
    // Only one server at a time can use the database.
    let flood = flood::measure(&installation)?;
    let (bare, _) = installation.start("hello", &[])?;
    let (footprint, latchkey) = footprint::measure(&installation, effort)?;
    let contest = Contest {
        oha: &oha,
        installation: &installation,
        latchkey: &latchkey,
        bare: &bare,
    };
    let loads = progress::step("Loads over HTTP, in rounds", "8 min", || {
        contest.run(effort)
    })?;
    let report = Report {
        circumstances,
        figures: [loads, footprint, archive, flood, pages, functions]
            .into_iter()
            .flatten()
            .collect(),
    };
    println!("{}", report.table());
    if effort.profile == Profile::Debug {
        return Ok(());
    }
    let document = report.put_into(&workspace.read(DOCUMENT)?)?;
    for (file, text) in [
        (DOCUMENT, document),
        (RESULTS, serde_json::to_string_pretty(&report)? + "\n"),
    ] {
        fs::write(workspace.root.join(file), text)
            .with_context(|| format!("cannot write {file}"))?;
        progress::print(&format!("wrote {file}"));
    }
    report.judge()
}
