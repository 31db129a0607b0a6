//! Lighthouse's performance score of the list and the form, in the mobile profile.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Effort;
use crate::command;
use crate::progress;
use crate::scratch;
use crate::serve;
use crate::test::playwright;
use crate::tools;
use crate::workspace::Workspace;

/// One page's scores, of 100.
pub(crate) struct PageScores {
    pub(crate) name: String,
    pub(crate) scores: Vec<f64>,
}

impl PageScores {
    /// The middle one; not a number where there is none.
    pub(crate) fn median(&self) -> f64 {
        let mut scores = self.scores.clone();
        scores.sort_by(f64::total_cmp);
        scores.get(scores.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// Audits each page as often as `effort` says.
///
/// # Errors
/// When something cannot be installed, or Lighthouse fails.
pub(crate) fn measure(workspace: &Workspace, effort: &Effort) -> Result<Vec<PageScores>> {
    tools::npm_packages(workspace)?;
    let chromium = tools::chromium()?;
    serve::compile_binary(workspace, effort.profile())?;
    progress::step("Lighthouse, on the list and the form", "3 min", || {
        let arguments = ["--config", "lighthouse.config.ts", "lighthouse_performance"];
        let mut run = playwright(workspace, effort.profile(), &chromium, &arguments);
        run.env("LIGHTHOUSE_RUNS", effort.audits.to_string())
            .env("TMPDIR", scratch::folder());
        let pages = read(&command::output(&mut run)?)?;
        ensure!(pages.len() == 2, "Lighthouse judged {} pages", pages.len());
        Ok(pages)
    })
}

/// The lines of JSON in what `lighthouse_performance.ts` prints.
fn read(output: &str) -> Result<Vec<PageScores>> {
    let lines = output.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| {
            let page: Value = serde_json::from_str(line).context("a line that is no JSON")?;
            let scores = page["scores"].as_array().context("no scores")?;
            Ok(PageScores {
                name: page["page"].as_str().context("no name")?.to_owned(),
                scores: scores.iter().filter_map(Value::as_f64).collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_scores_of_a_page() {
        let output = "Running 1 test using 1 worker\n\
            {\"page\":\"the list\",\"path\":\"/tenant-api-keys\",\"scores\":[95,82,93,88,91]}\n\
            {\"page\":\"the form\",\"path\":\"/tenant-api-keys/new\",\"scores\":[97]}\n";
        let pages = read(output).expect("two pages");
        let medians: Vec<_> = pages.iter().map(PageScores::median).collect();
        assert_eq!(medians, [91.0, 97.0]);
        assert!(read("{\"page\":\"the list\"}").is_err());
    }
}
