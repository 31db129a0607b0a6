//! Lighthouse's performance score of the pages behind sign-in, with its mobile profile, and the time for which the main pages block the
//! browser.

use anyhow::{Result, ensure};
use serde::Deserialize;

use super::effort::Effort;
use super::figure::{Figure, Limit, median};
use crate::command;
use crate::progress;
use crate::scratch;
use crate::serve;
use crate::test::playwright;
use crate::tools;
use crate::workspace::Workspace;

/// A line that `lighthouse_performance.ts` prints.
#[derive(Deserialize)]
struct Page {
    page: String,
    /// Scores out of 100, one per run.
    scores: Vec<f64>,
}

/// A line that `lighthouse_blocking_time.ts` prints.
#[derive(Deserialize)]
struct BlockedPage {
    page: String,
    /// Total blocking times in milliseconds, one per run.
    blocking_ms: Vec<f64>,
}

/// Audits each page as often as `effort` requires.
pub(crate) fn measure(workspace: &Workspace, effort: &Effort) -> Result<Vec<Figure>> {
    tools::npm_packages(workspace)?;
    let chromium = tools::chromium()?;
    serve::compile_binary(workspace, effort.profile)?;
    let run = |spec: &str| {
        let arguments = ["--config", "lighthouse.config.ts", spec];
        let mut run = playwright(workspace, effort.profile, &chromium, &arguments);
        run.env("LIGHTHOUSE_RUNS", effort.audits.to_string())
            .env("TMPDIR", scratch::folder());
        command::output(&mut run)
    };
    let mut figures = progress::step("Lighthouse, on five pages", "7 min", || {
        let figures = read(&run("lighthouse_performance")?)?;
        ensure!(
            figures.len() == 5,
            "Lighthouse audited {} pages",
            figures.len()
        );
        Ok(figures)
    })?;
    let blocked = progress::step("Blocking time, on three pages", "2 min", || {
        let figures = read_blocking(&run("lighthouse_blocking_time")?)?;
        ensure!(figures.len() == 3, "{} pages were traced", figures.len());
        Ok(figures)
    })?;
    figures.extend(blocked);
    Ok(figures)
}

fn read(output: &str) -> Result<Vec<Figure>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let figure = |line| -> Result<Figure> {
        let Page { page, scores } = serde_json::from_str(line)?;
        let figure = Figure::new(format!("Lighthouse, {page}"), median(scores), "");
        Ok(figure.limit(Limit::AtLeast(92.0)))
    };
    lines.map(figure).collect()
}

fn read_blocking(output: &str) -> Result<Vec<Figure>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    let figure = |line| -> Result<Figure> {
        let BlockedPage { page, blocking_ms } = serde_json::from_str(line)?;
        let name = format!("Blocking time, {page}");
        let figure = Figure::new(name, median(blocking_ms), "ms");
        Ok(figure.limit(Limit::AtMost(200.0)))
    };
    lines.map(figure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_of_a_page_is_the_median_of_its_scores() {
        let output = "Running 1 test using 1 worker\n\
            {\"page\":\"the list\",\"path\":\"/tenant-api-keys\",\"scores\":[95,82,93,88,91]}\n\
            {\"page\":\"the form\",\"path\":\"/tenant-api-keys/new\",\"scores\":[97]}\n";
        let figures = read(output).expect("two pages");
        let values: Vec<_> = figures.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [91.0, 97.0]);
        assert!(read("{\"page\":\"the list\"}").is_err());
    }

    #[test]
    fn the_blocking_time_of_a_page_is_the_median_of_its_runs() {
        let output = "{\"page\":\"the list\",\"blocking_ms\":[346,432,863]}\n";
        let figures = read_blocking(output).expect("a page");
        assert_eq!((figures[0].value, figures[0].is_within()), (432.0, false));
    }
}
