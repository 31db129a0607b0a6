//! The steps of `cargo xtask test`, and which of them are asked for.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command;
use crate::workspace::Workspace;

/// A step that is no test target of cargo.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Format,
    Dependencies,
    Clippy,
    Size,
    Contract,
    Client,
    Clients,
    Lighthouse,
    Journeys,
}

impl Step {
    const ALL: [(&str, Self); 9] = [
        ("format", Self::Format),
        ("dependencies", Self::Dependencies),
        ("clippy", Self::Clippy),
        ("size", Self::Size),
        ("contract", Self::Contract),
        ("client", Self::Client),
        ("clients", Self::Clients),
        ("lighthouse", Self::Lighthouse),
        ("journeys", Self::Journeys),
    ];
}

/// Every unit test of the workspace, as one part.
const UNIT: &str = "unit";

/// The tests over HTTP, which run on both engines.
pub(crate) const HTTP: &str = "http";

/// What is asked for.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Selection {
    pub(crate) steps: Vec<Step>,
    /// Test targets of cargo, and [`UNIT`].
    pub(crate) targets: Vec<String>,
    /// Parts of the names of tests; all where there are none.
    pub(crate) names: Vec<String>,
}

impl Selection {
    /// The parts of `only`, or every test target where names alone are given.
    ///
    /// # Errors
    /// For a part that is neither a step nor a target.
    pub(crate) fn new(workspace: &Workspace, only: &[String], names: &[String]) -> Result<Self> {
        let known = targets(workspace)?;
        let mut selection = Self {
            names: names.to_vec(),
            ..Self::default()
        };
        if only.is_empty() {
            selection.targets = known.into_iter().collect();
            return Ok(selection);
        }
        for part in only {
            if let Some((_, step)) = Step::ALL.iter().find(|(name, _)| name == part) {
                selection.steps.push(*step);
            } else if known.contains(part) {
                selection.targets.push(part.clone());
            } else {
                let steps = Step::ALL.iter().map(|(name, _)| *name);
                let all: Vec<_> = steps.chain(known.iter().map(String::as_str)).collect();
                bail!("there is no part {part}: choose from {}", all.join(", "));
            }
        }
        Ok(selection)
    }

    pub(crate) fn has(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// What `cargo test` is told. No `--package`: it would choose other features for the dependencies, and compile them again.
    pub(crate) fn target_arguments(&self) -> Vec<&str> {
        let mut arguments = Vec::new();
        for target in &self.targets {
            match target.as_str() {
                UNIT => arguments.extend(["--lib", "--bins"]),
                test => arguments.extend(["--test", test]),
            }
        }
        arguments
    }
}

/// The test targets of the workspace, by name.
fn targets(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let metadata = command::output(command::cargo(&workspace.root).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).context("`cargo metadata` did not answer with JSON")?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut names: BTreeSet<_> = Step::ALL.iter().map(|(name, _)| *name).collect();
    let mut targets = BTreeSet::from([UNIT.to_owned()]);
    names.insert(UNIT);
    for package in packages {
        for target in package["targets"].as_array().context("no targets")? {
            if target["kind"][0] == "test" {
                let name = target["name"].as_str().context("a target without name")?;
                ensure!(
                    names.insert(name),
                    "two parts of the suite are called {name}"
                );
                targets.insert(name.to_owned());
            }
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(only: &[&str]) -> Result<Selection> {
        let workspace = Workspace::find().expect("tests run in the repository");
        let only: Vec<_> = only.iter().map(|part| (*part).to_owned()).collect();
        Selection::new(&workspace, &only, &[])
    }

    #[test]
    fn a_part_is_a_step_or_a_test_target() {
        let chosen = selection(&["clippy", HTTP, UNIT]).expect("they are there");
        assert_eq!(chosen.steps, [Step::Clippy]);
        assert_eq!(
            chosen.target_arguments(),
            ["--test", "http", "--lib", "--bins"]
        );
    }

    #[test]
    fn without_parts_every_target_is_chosen_and_an_unknown_one_is_refused_with_those_that_exist() {
        let all = selection(&[]).expect("they are there").targets;
        for name in [UNIT, HTTP, "store", "rules", "replicas", "documents"] {
            assert!(all.iter().any(|target| target == name), "{name}");
        }
        let refused = selection(&["stroe"])
            .expect_err("a typing error")
            .to_string();
        assert!(
            refused.contains("no part stroe") && refused.contains("store"),
            "{refused}"
        );
    }
}
