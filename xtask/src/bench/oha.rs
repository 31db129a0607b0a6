//! Runs oha and reads its results.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::load::{CONNECTIONS, Throughput};
use crate::command;

/// Requests `path` for this time, with the same key in every request. Every response must have status 200.
pub(crate) fn run(
    oha: &Path,
    address: SocketAddr,
    path: &str,
    key: &str,
    time: Duration,
) -> Result<Throughput> {
    let mut command = Command::new(oha);
    command
        .args(["--no-tui", "--output-format", "json"])
        .args(["-c", &CONNECTIONS.to_string()])
        // `-w` waits for the last responses: an aborted request costs processor time and is not counted.
        .args(["-z", &format!("{}s", time.as_secs()), "-w"])
        .args(["-H", &format!("x-api-key: {key}")])
        .arg(format!("http://{address}{path}"));
    read(&command::output(&mut command)?)
}

fn read(text: &str) -> Result<Throughput> {
    let results: Value = serde_json::from_str(text).context("oha's output is not JSON")?;
    let counts = |name: &str| -> Result<BTreeMap<String, u64>> {
        serde_json::from_value(results[name].clone()).with_context(|| format!("oha: no {name}"))
    };
    let (statuses, errors) = (
        counts("statusCodeDistribution")?,
        counts("errorDistribution")?,
    );
    ensure!(
        errors.is_empty() && statuses.keys().eq(["200"]),
        "not every response had status 200: {statuses:?} {errors:?}"
    );
    let number = |part: &str, name: &str| {
        let number = results[part][name].as_f64();
        number.with_context(|| format!("oha: no {name}"))
    };
    let requests = statuses.values().sum();
    Ok(Throughput {
        requests,
        per_second: requests as f64 / number("summary", "total")?,
        p50: number("latencyPercentiles", "p50")?,
        p99: number("latencyPercentiles", "p99")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_count_only_if_every_response_has_status_200() {
        let good = r#"{"summary": {"total": 2.0}, "latencyPercentiles": {"p50": 0.001, "p99": 0.005},
            "statusCodeDistribution": {"200": 3000}, "errorDistribution": {}}"#;
        let expected = Throughput {
            requests: 3000,
            per_second: 1500.0,
            p50: 0.001,
            p99: 0.005,
        };
        assert_eq!(read(good).expect("all 200"), expected);
        assert!(read(&good.replace("\"200\": 3000", "\"200\": 2999, \"401\": 1")).is_err());
        assert!(
            read(&good.replace("Distribution\": {}", "Distribution\": {\"refused\": 1}")).is_err()
        );
    }
}
