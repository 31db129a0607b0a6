//! The benchmarks of single functions, by criterion, in `domain/benches/`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Effort;
use crate::command;
use crate::progress;
use crate::workspace::Workspace;

/// A function and how long it takes.
#[derive(Debug, PartialEq)]
pub(crate) struct Timing {
    /// As the benchmark calls it, e.g. `verdict/allowlist of 50`.
    pub(crate) name: String,
    /// The median, in nanoseconds.
    pub(crate) nanoseconds: f64,
}

/// Runs all of them.
///
/// # Errors
/// When they do not compile, fail, or leave no results.
pub(crate) fn run(workspace: &Workspace, effort: &Effort) -> Result<Vec<Timing>> {
    if !has_benches(workspace)? {
        progress::say("domain has no benchmarks of single functions");
        return Ok(Vec::new());
    }
    let home = workspace.target.join("criterion");
    // What an earlier run left would be taken for a result of this one.
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    let mut bench = command::cargo(&workspace.root);
    // The benches alone: the harness of the library's tests does not know criterion's options.
    bench
        .args([
            "bench",
            "--package",
            "domain",
            "--features",
            "bench",
            "--bench",
            "*",
        ])
        .env("CRITERION_HOME", &home);
    if effort.is_quick {
        bench.args(["--profile", "dev", "--", "--quick"]);
    }
    progress::step("Benchmarks of single functions", "10 min", || {
        command::run(&mut bench)
    })?;
    let mut timings = Vec::new();
    collect(&home, &mut timings)?;
    timings.sort_by(|left, right| natural(&left.name).cmp(&natural(&right.name)));
    Ok(timings)
}

fn has_benches(workspace: &Workspace) -> Result<bool> {
    let metadata = command::output(command::cargo(&workspace.root).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let entries = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Ok(entries(&metadata["packages"])
        .iter()
        .filter(|package| package["name"] == "domain")
        .flat_map(|package| entries(&package["targets"]))
        .any(|target| entries(&target["kind"]).contains(&"bench".into())))
}

/// Criterion leaves for each benchmark a folder `new` with what it is and what came out.
fn collect(folder: &Path, timings: &mut Vec<Timing>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.is_file() {
            let benchmark = fs::read_to_string(path.join("benchmark.json"))?;
            timings.push(read(&benchmark, &fs::read_to_string(estimates)?)?);
        } else {
            collect(&path, timings)?;
        }
    }
    Ok(())
}

fn read(benchmark: &str, estimates: &str) -> Result<Timing> {
    let benchmark: Value = serde_json::from_str(benchmark)?;
    let estimates: Value = serde_json::from_str(estimates)?;
    Ok(Timing {
        name: benchmark["full_id"]
            .as_str()
            .context("criterion's benchmark.json has no full_id")?
            .to_owned(),
        nanoseconds: estimates["median"]["point_estimate"]
            .as_f64()
            .context("criterion's estimates.json has no median")?,
    })
}

/// Sorts `lookup/1000` before `lookup/1000000`: by words, numbers by their value.
fn natural(name: &str) -> Vec<(u64, &str)> {
    name.split(['/', ' ', '_'])
        .map(|word| match word.replace(',', "").parse() {
            Ok(number) => (number, ""),
            Err(_) => (0, word),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_under_the_benchmarks_own_name() {
        let timing = read(
            r#"{"group_id": "lookup", "full_id": "lookup/1000"}"#,
            r#"{"mean": {"point_estimate": 99.5}, "median": {"confidence_interval": {}, "point_estimate": 98.25}}"#,
        );
        let expected = Timing {
            name: "lookup/1000".to_owned(),
            nanoseconds: 98.25,
        };
        assert_eq!(timing.expect("both are there"), expected);
        assert!(read("{}", "{}").is_err());
    }

    #[test]
    fn numbers_are_sorted_by_their_value() {
        let mut names = ["lookup/1000000", "lookup/1000", "digest", "lookup/1"];
        names.sort_by(|left, right| natural(left).cmp(&natural(right)));
        assert_eq!(
            names,
            ["digest", "lookup/1", "lookup/1000", "lookup/1000000"]
        );
    }
}
