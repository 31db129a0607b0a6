//! The parts of `cargo xtask test`, and their selection.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command;
use crate::workspace::Workspace;

/// A part that is not a test target of cargo.
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

/// The part with every unit test of the workspace.
const UNIT: &str = "unit";

/// The test target of the package `server`. Each of its modules is a part.
pub(crate) const SERVER: &str = "all";

/// The file that lists the modules of [`SERVER`].
const SERVER_MODULES: &str = "server/tests/main.rs";

/// The module of [`SERVER`] with fixtures.
const SUPPORT: &str = "support";

/// The module of [`SERVER`] with the tests over HTTP, which run on both engines.
pub(crate) const HTTP: &str = "http";

/// The parts and tests to run.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Selection {
    pub(crate) steps: Vec<Step>,
    /// Test targets of cargo, and [`UNIT`].
    pub(crate) targets: Vec<String>,
    /// Modules of [`SERVER`]; the whole target if only names are given.
    pub(crate) modules: Vec<String>,
    /// Parts of the names of tests; empty selects all.
    pub(crate) names: Vec<String>,
}

impl Selection {
    /// Selects the parts of `only`, or every test target if only names are given.
    ///
    /// # Errors
    /// If a part is neither a step nor a target.
    pub(crate) fn new(workspace: &Workspace, only: &[String], names: &[String]) -> Result<Self> {
        let targets = targets(workspace)?;
        let modules = server_modules(workspace)?;
        let mut selection = Self {
            names: names.to_vec(),
            ..Self::default()
        };
        if only.is_empty() {
            selection.targets = targets.into_iter().collect();
            return Ok(selection);
        }
        let parts = || targets.iter().filter(|name| *name != SERVER);
        ensure!(
            parts().all(|name| !modules.contains(name)),
            "a test target and a module of {SERVER_MODULES} have the same name"
        );
        for part in only {
            if let Some((_, step)) = Step::ALL.iter().find(|(name, _)| name == part) {
                selection.steps.push(*step);
            } else if modules.contains(part) {
                selection.modules.push(part.clone());
            } else if parts().any(|name| name == part) {
                selection.targets.push(part.clone());
            } else {
                let steps = Step::ALL.iter().map(|(name, _)| *name);
                let tests = parts().chain(&modules).map(String::as_str);
                let all: Vec<_> = steps.chain(tests).collect();
                bail!("there is no part {part}; parts are {}", all.join(", "));
            }
        }
        Ok(selection)
    }

    pub(crate) fn has(&self, step: Step) -> bool {
        self.steps.contains(&step)
    }

    /// Whether tests over HTTP are selected.
    pub(crate) fn has_http(&self) -> bool {
        let has = |list: &[String], name| list.iter().any(|item| item == name);
        has(&self.targets, SERVER) || has(&self.modules, HTTP)
    }

    /// The arguments of `cargo test` for the targets. They contain no `--package`, which selects other features of the dependencies, so
    /// that cargo would compile them again.
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
        serde_json::from_str(&metadata).context("the output of `cargo metadata` is not JSON")?;
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
                    "two parts of the suite have the name {name}"
                );
                targets.insert(name.to_owned());
            }
        }
    }
    Ok(targets)
}

/// The modules of [`SERVER`] with tests.
fn server_modules(workspace: &Workspace) -> Result<BTreeSet<String>> {
    let file = workspace.root.join(SERVER_MODULES);
    let source = fs::read_to_string(&file).with_context(|| format!("no {SERVER_MODULES}"))?;
    let modules = source
        .lines()
        .filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    Ok(modules
        .filter(|module| *module != SUPPORT)
        .map(str::to_owned)
        .collect())
}

/// Makes `tests`, a `cargo test` up to `--`, run the tests of these modules of [`SERVER`] whose names contain one of `names` (all if it is empty).
/// Returns the command and the number of tests; with 0, the command would run every test.
///
/// Each test is selected by its full name, because the test runner also matches a prefix such as `faults::` in the middle of a name.
///
/// # Errors
/// If the tests do not compile.
pub(crate) fn select_in_modules(
    mut tests: impl FnMut() -> Command,
    modules: &[&str],
    names: &[String],
) -> Result<(Command, usize)> {
    let mut command = tests();
    command.args(["--test", SERVER, "--"]);
    let list = crate::command::output(
        tests().args(["--test", SERVER, "--", "--list", "--format", "terse"]),
    )?;
    let selected = tests_in_modules(&list, modules, names);
    command.arg("--exact").args(&selected);
    Ok((command, selected.len()))
}

/// Selects tests from a test runner's terse list.
fn tests_in_modules<'a>(list: &'a str, modules: &[&str], names: &[String]) -> Vec<&'a str> {
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
    tests
        .filter(|test| {
            let module = test.split_once("::").map(|(module, _)| module);
            module.is_some_and(|module| modules.contains(&module))
                && (names.is_empty() || names.iter().any(|name| test.contains(name)))
        })
        .collect()
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
    fn a_part_is_a_step_a_test_target_or_a_module_of_the_server_s_tests() {
        let chosen = selection(&["clippy", HTTP, "store", UNIT]).expect("they exist");
        assert_eq!(chosen.steps, [Step::Clippy]);
        assert_eq!(chosen.modules, [HTTP]);
        assert!(chosen.has_http());
        assert_eq!(
            chosen.target_arguments(),
            ["--test", "store", "--lib", "--bins"]
        );
        let refused = selection(&[SUPPORT]).expect_err("it has no tests");
        assert!(refused.to_string().contains("no part support"));
    }

    #[test]
    fn a_module_selects_the_tests_below_it_and_no_test_of_a_module_of_the_same_name_elsewhere() {
        let list = "faults::sqlite::a: test\nreplicas::faults::a: test\nhttp::b: test\n";
        let selected = |names: &[String]| tests_in_modules(list, &["faults", "http"], names);
        assert_eq!(selected(&[]), ["faults::sqlite::a", "http::b"]);
        assert_eq!(selected(&["::b".to_owned()]), ["http::b"]);
    }

    #[test]
    fn without_parts_every_target_is_chosen_and_an_unknown_one_is_refused_with_those_that_exist() {
        let all = selection(&[]).expect("they exist");
        assert!(all.has_http());
        for name in [UNIT, SERVER, "store", "rules", "documents"] {
            assert!(all.targets.iter().any(|target| target == name), "{name}");
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
