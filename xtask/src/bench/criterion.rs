//! The benchmarks of single functions, by criterion (`domain/benches/`).

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::effort::Effort;
use super::figure::Figure;
use crate::command;
use crate::profile::Profile;
use crate::progress;
use crate::workspace::Workspace;

/// Runs all benchmarks and returns the medians.
pub(crate) fn run(workspace: &Workspace, effort: &Effort) -> Result<Vec<Figure>> {
    let home = workspace.target.join("criterion");
    // Results of an earlier run would count as results of this one.
    if home.exists() {
        fs::remove_dir_all(&home).with_context(|| format!("cannot remove {}", home.display()))?;
    }
    let mut bench = command::cargo(&workspace.root);
    // `--bench`, because the harness of the library's tests does not accept criterion's options.
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
    if effort.profile == Profile::Debug {
        bench.args(["--profile", "dev", "--", "--quick"]);
    }
    progress::step("Benchmarks of single functions", "10 min", || {
        command::run(&mut bench)
    })?;
    let mut figures = Vec::new();
    collect(&home, &mut figures)?;
    ensure!(
        !figures.is_empty(),
        "criterion left no results in {}",
        home.display()
    );
    figures.sort_by_cached_key(|figure| sort_key(&figure.name));
    Ok(figures)
}

/// Collects the results. Criterion writes a folder `new` for each benchmark, with its name and its results.
fn collect(folder: &Path, figures: &mut Vec<Figure>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let path = entry?.path();
        let estimates = path.join("estimates.json");
        if path.ends_with("new") && estimates.is_file() {
            let benchmark = fs::read_to_string(path.join("benchmark.json"))?;
            figures.push(read(&benchmark, &fs::read_to_string(estimates)?)?);
        } else if path.is_dir() {
            collect(&path, figures)?;
        }
    }
    Ok(())
}

fn read(benchmark: &str, estimates: &str) -> Result<Figure> {
    let benchmark: Value = serde_json::from_str(benchmark)?;
    let estimates: Value = serde_json::from_str(estimates)?;
    let name = benchmark["full_id"].as_str();
    let nanoseconds = estimates["median"]["point_estimate"].as_f64();
    Ok(Figure::new(
        name.context("criterion's benchmark.json has no full_id")?,
        nanoseconds.context("criterion's estimates.json has no median")?,
        "ns",
    ))
}

/// Sorts `lookup/1000` before `lookup/1000000`.
fn sort_key(name: &str) -> (String, u64) {
    let (group, parameter) = name.rsplit_once('/').unwrap_or((name, ""));
    (group.to_owned(), parameter.parse().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read_with_the_benchmarks_name() {
        let figure = read(
            r#"{"group_id": "lookup", "full_id": "lookup/1000"}"#,
            r#"{"mean": {"point_estimate": 99.5}, "median": {"confidence_interval": {}, "point_estimate": 98.25}}"#,
        );
        let figure = figure.expect("both are there");
        assert_eq!((figure.name.as_str(), figure.value), ("lookup/1000", 98.25));
        assert!(read("{}", "{}").is_err());
    }

    #[test]
    fn numbers_are_sorted_by_their_value() {
        let mut names = ["lookup/1000000", "lookup/1000", "digest", "lookup/1"];
        names.sort_by_key(|name| sort_key(name));
        assert_eq!(
            names,
            ["digest", "lookup/1", "lookup/1000", "lookup/1000000"]
        );
    }
}
