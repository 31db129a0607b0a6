//! Checks the API against its OpenAPI document with schemathesis, which generates valid and invalid requests and checks the responses. The keys of two
//! tenants are used, each with identifiers of both.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::instance::Instance;
use crate::progress;
use crate::workspace::Workspace;

const TENANTS: [&str; 2] = ["acme", "globex"];
/// The OpenAPI document of the API; a test compares it with the served one.
const DOCUMENT: &str = "server/tests/http/openapi.json";
/// The permission that a key does not get: with it, generated requests would take other permissions from the key's own group.
const WITHHELD: &str = "authorization-groups:write";
/// The permission of a generated check, beside those of the document.
const ORDERS: &str = "orders:read";

/// The extent of a run.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// The least number of requests, for both tenants together.
    pub(crate) cases: u32,
    /// The largest number of requests per operation, tenant and phase.
    pub(crate) examples: u32,
    /// The seed of the generated requests; `None` generates different requests in each run.
    pub(crate) seed: Option<u32>,
}

/// The effort of the suite.
pub(crate) const QUICK: Effort = Effort {
    cases: 5_000,
    examples: 65,
    seed: Some(1),
};

/// The effort of a soak.
pub(crate) const THOROUGH: Effort = Effort {
    cases: 50_000,
    examples: 1_200,
    seed: None,
};

/// Runs `schemathesis` against the API of `binary`.
///
/// # Errors
/// If a response differs from the document or is a server error, or schemathesis sends fewer requests than required.
pub(crate) fn check(
    workspace: &Workspace,
    binary: &Path,
    schemathesis: &Path,
    effort: Effort,
) -> Result<()> {
    let instance = Instance::new(binary, "contract")?;
    let permissions = permissions(&serde_json::from_str(&workspace.read(DOCUMENT)?)?);
    let mut targets = Vec::new();
    let mut groups = Vec::new();
    for tenant in TENANTS {
        instance.json(&[
            "tenant",
            "create",
            "--name",
            tenant,
            "--key-limit",
            "1000000",
        ])?;
        let mut everything = vec!["group", "create", "--tenant", tenant];
        everything.extend(["--name", "Everything", "--type", "tenant_api_key"]);
        for permission in &permissions {
            everything.extend(["--permission", permission]);
        }
        let people = [
            "group", "create", "--tenant", tenant, "--name", "People", "--type", "user",
        ];
        for group in [everything.as_slice(), &people] {
            groups.push(instance.json(group)?["id"].clone());
        }
        for _ in 0..3 {
            let key = ["key", "create", "--tenant", tenant, "--name", "Target"];
            let key = [&key[..], &["--group", "Everything"]].concat();
            targets.push(instance.json(&key)?["id"].clone());
        }
    }
    let server = instance.serve()?;
    let own = workspace.root.join("xtask/schemathesis");
    let mut cases = 0;
    for tenant in TENANTS {
        let mut run = Command::new(schemathesis);
        run.arg("--config-file").arg(own.join("schemathesis.toml"));
        run.args(["run", &format!("{}/api/v1/openapi.json", server.url)])
            .args(["--checks", "all", "--continue-on-failure"])
            .args(["--max-examples", &effort.examples.to_string()])
            // Several workers crash Python 3.11's parser.
            .args(["--workers", "1"]);
        if let Some(seed) = effort.seed {
            run.args(["--seed", &seed.to_string()]);
        }
        instance.configure(&mut run);
        run.env("SCHEMATHESIS_HOOKS", "hooks")
            .env("CONTRACT_BIN", binary)
            .env("CONTRACT_TENANT", tenant)
            .env("CONTRACT_IDS", Value::from(targets.clone()).to_string())
            .env("CONTRACT_GROUPS", Value::from(groups.clone()).to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PYTHONPATH", &own)
            // schemathesis writes files into its working folder.
            .current_dir(&instance.folder)
            .stdin(Stdio::null());
        let output = run.output().context("cannot start schemathesis")?;
        let summary = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            progress::print(&format!(
                "{summary}{}",
                String::from_utf8_lossy(&output.stderr)
            ));
            bail!("schemathesis reports failures with a key of {tenant}");
        }
        cases += generated(&summary)?;
    }
    progress::print(&format!("schemathesis: {cases} requests without a failure"));
    ensure!(
        cases >= effort.cases,
        "schemathesis made {cases} requests, fewer than {}",
        effort.cases
    );
    Ok(())
}

/// The permissions that the operations of the document require, without [`WITHHELD`], and [`ORDERS`].
fn permissions(document: &Value) -> BTreeSet<String> {
    let operations = document["paths"].as_object().into_iter().flatten();
    operations
        .flat_map(|(_, path)| path.as_object().into_iter().flatten())
        .filter_map(|(_, operation)| operation["x-permission"].as_str())
        .filter(|permission| *permission != WITHHELD)
        .chain([ORDERS])
        .map(str::to_owned)
        .collect()
}

/// The number in the line `1161 generated, …` of the summary.
fn generated(summary: &str) -> Result<u32> {
    summary
        .lines()
        .filter_map(|line| line.split_once(" generated"))
        .find_map(|(number, _)| number.trim().replace(',', "").parse().ok())
        .context("schemathesis's summary has no number of requests")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permissions_are_those_of_the_operations() {
        let document = serde_json::json!({ "paths": {
            "/a": { "get": { "x-permission": "keys:read" }, "post": { "x-permission": WITHHELD } },
            "/b": { "get": { "x-permission": "keys:read" }, "put": {} },
        } });
        assert_eq!(
            permissions(&document),
            BTreeSet::from(["keys:read".to_owned(), ORDERS.to_owned()])
        );
    }

    #[test]
    fn the_number_of_requests_is_read_from_the_summary() {
        let summary =
            "Test cases:\n  1161 generated, 3 found 3 unique failures, 6 skipped\n\nSeed: 1\n";
        assert_eq!(generated(summary).expect("a number"), 1161);
        assert!(generated("No test cases").is_err());
    }
}
