//! `cargo xtask bench`: measures the cost of a key check and the resource use of the server.
#![expect(clippy::print_stdout, reason = "the command prints its table")]

mod connection;
mod console;
mod criterion;
pub(crate) mod effort;
mod figure;
mod flood;
mod footprint;
mod load;
mod oha;
mod pages;
mod postgres;
mod report;
mod rounds;
mod server;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use crate::bundle;
use crate::profile::Profile;
use crate::progress;
use crate::serve;
use crate::tools;
use crate::workspace::Workspace;
use effort::Effort;
use figure::Figure;
use report::{CONSOLE_MARKS, MARKS, Marks, POSTGRES_MARKS, Report};
use rounds::Contest;
use server::Installation;

/// The document with the explanation of the figures. The table in it is replaced.
const DOCUMENT: &str = "docs/benchmarks.md";
/// All figures, as JSON.
const RESULTS: &str = "docs/benchmarks.json";

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Requests with keys over HTTP, start and memory.
    Loads,
    /// Sign-ins by hundreds.
    Flood,
    /// Lighthouse on the list and the form.
    Pages,
    /// Functions of the check, without HTTP.
    Functions,
    /// Pages and exports of the console on much data, on both engines.
    Console,
    /// Requests with keys and revocations on PostgreSQL.
    Postgres,
}

/// Measures everything, or the parts in `only`, prints a table, and fails above a limit. A whole run also writes [`RESULTS`] and the tables
/// of [`DOCUMENT`]; a run with the parts of the console or PostgreSQL writes their tables.
pub(crate) fn bench(workspace: &Workspace, effort: &Effort, only: &[Part]) -> Result<()> {
    let circumstances = report::circumstances(workspace, effort)?;
    let has = |part| only.is_empty() || only.contains(&part);
    let oha = has(Part::Loads).then(tools::oha).transpose()?;
    // These parts measure the server alone, so any earlier bundle will do.
    let has_own_table = |part: &Part| [Part::Console, Part::Postgres].contains(part);
    let needs_bundle = only.is_empty() || !only.iter().all(has_own_table);
    if needs_bundle || !bundle::is_built(workspace, effort.profile) {
        bundle::build(workspace, effort.profile)?;
    }
    let arguments = ["--features", "server/bench"];
    let binary = serve::compile(workspace, effort.profile, "latchkey-bench", &arguments)?;
    let mut figures = Vec::new();
    if has(Part::Pages) {
        figures.extend(pages::measure(workspace, effort)?);
    }
    if has(Part::Functions) {
        figures.extend(criterion::run(workspace, effort)?);
    }
    if has(Part::Loads) || has(Part::Flood) {
        let installation = progress::step("Filling the database", "20 s", || {
            Installation::fill(&binary, effort)
        })?;
        let archive = has(Part::Loads).then(|| footprint::measure_archive(&binary, effort));
        // Only one server at a time can use the database.
        let flood = has(Part::Flood).then(|| flood::measure(&installation));
        let loads = oha.map(|oha| loads(&installation, &oha, effort));
        let mut requests = loads.transpose()?.unwrap_or_default();
        requests.extend(archive.transpose()?.unwrap_or_default());
        requests.extend(flood.transpose()?.into_iter().flatten());
        figures.splice(0..0, requests);
    }
    let report = Report {
        circumstances,
        figures,
    };
    let console = has(Part::Console)
        .then(|| {
            Ok::<_, anyhow::Error>(Report {
                circumstances: report::of_console(
                    report::circumstances(workspace, effort)?,
                    &effort.console,
                ),
                figures: console::measure(&binary, effort)?,
            })
        })
        .transpose()?;
    let postgres = has(Part::Postgres)
        .then(|| {
            Ok::<_, anyhow::Error>(Report {
                circumstances: report::of_postgres(report::circumstances(workspace, effort)?)?,
                figures: postgres::measure(&binary, effort)?,
            })
        })
        .transpose()?;
    let reports = || {
        (!report.figures.is_empty())
            .then_some(&report)
            .into_iter()
            .chain(&console)
            .chain(&postgres)
    };
    for report in reports() {
        println!("{}", report.table());
    }
    if effort.profile == Profile::Debug {
        return Ok(());
    }
    if only.is_empty() {
        write(workspace, MARKS, &report)?;
    }
    // These tables have circumstances of their own, so a run of one part alone can replace its table.
    for (marks, report) in [(CONSOLE_MARKS, &console), (POSTGRES_MARKS, &postgres)] {
        if let Some(report) = report {
            write(workspace, marks, report)?;
        }
    }
    reports().try_for_each(Report::judge)
}

/// The loads over HTTP, then start and memory.
fn loads(installation: &Installation, oha: &Path, effort: &Effort) -> Result<Vec<Figure>> {
    let (bare, _) = installation.start("hello", &[])?;
    let (footprint, latchkey) = footprint::measure(installation, effort)?;
    let contest = Contest {
        oha,
        installation,
        latchkey: &latchkey,
        bare: &bare,
    };
    let mut figures = progress::step("Loads over HTTP, in rounds", "8 min", || {
        contest.run(effort)
    })?;
    figures.extend(footprint);
    Ok(figures)
}

/// Replaces one table of the document, and its figures in the results.
fn write(workspace: &Workspace, marks: Marks, report: &Report) -> Result<()> {
    let document = report.put_into(&workspace.read(DOCUMENT)?, marks)?;
    let mut results: Value = serde_json::from_str(&workspace.read(RESULTS)?)?;
    let written = serde_json::to_value(report)?;
    match marks {
        CONSOLE_MARKS => results["console"] = written,
        POSTGRES_MARKS => results["postgres"] = written,
        _ => {
            for member in ["circumstances", "figures"] {
                results[member] = written[member].clone();
            }
        }
    }
    for (file, text) in [
        (DOCUMENT, document),
        (RESULTS, serde_json::to_string_pretty(&results)? + "\n"),
    ] {
        fs::write(workspace.root.join(file), text)
            .with_context(|| format!("cannot write {file}"))?;
        progress::print(&format!("wrote {file}"));
    }
    Ok(())
}
