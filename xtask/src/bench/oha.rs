//! oha, told what to do and understood.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::load::{Answers, CONNECTIONS};
use crate::command;

/// Has oha ask for `path` for a while, with one key in every request. Every answer must be a 200.
///
/// # Errors
/// When oha fails, or another answer comes.
pub(crate) fn run(
    oha: &Path,
    address: SocketAddr,
    path: &str,
    key: &str,
    time: Duration,
) -> Result<Answers> {
    let mut command = Command::new(oha);
    command
        .args(["--no-tui", "--output-format", "json"])
        .args(["-c", &CONNECTIONS.to_string()])
        // Waits for the last answers: a request that is cut off costs the server something, and is counted nowhere.
        .args(["-z", &format!("{}s", time.as_secs()), "-w"])
        .args(["-H", &format!("x-api-key: {key}")])
        .arg(format!("http://{address}{path}"));
    read(&command::output(&mut command)?)
}

fn read(text: &str) -> Result<Answers> {
    let result: Value = serde_json::from_str(text).context("oha did not answer with JSON")?;
    let counts = |name: &str| -> Result<BTreeMap<String, u64>> {
        serde_json::from_value(result[name].clone())
            .with_context(|| format!("oha's answer has no {name}"))
    };
    let statuses = counts("statusCodeDistribution")?;
    let errors = counts("errorDistribution")?;
    ensure!(
        errors.is_empty() && statuses.keys().eq(["200"]),
        "not every answer was a 200: {statuses:?} {errors:?}"
    );
    let number = |value: &Value, name: &str| {
        value[name]
            .as_f64()
            .with_context(|| format!("oha's answer has no {name}"))
    };
    let requests = statuses.values().sum();
    Ok(Answers {
        requests,
        per_second: requests as f64 / number(&result["summary"], "total")?,
        p50: number(&result["latencyPercentiles"], "p50")?,
        p99: number(&result["latencyPercentiles"], "p99")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_only_where_all_went_well() {
        let good = r#"{"summary": {"total": 2.0}, "latencyPercentiles": {"p50": 0.001, "p99": 0.005},
            "statusCodeDistribution": {"200": 3000}, "errorDistribution": {}}"#;
        let answers = read(good).expect("all went well");
        let expected = Answers {
            requests: 3000,
            per_second: 1500.0,
            p50: 0.001,
            p99: 0.005,
        };
        assert_eq!(answers, expected);
        assert!(read(&good.replace("\"200\": 3000", "\"200\": 2999, \"401\": 1")).is_err());
        assert!(
            read(&good.replace("Distribution\": {}", "Distribution\": {\"refused\": 1}")).is_err()
        );
    }
}
