//! The measured servers, and the operating system's figures for them.

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use procfs::process::Process as Stats;
use serde_json::Value;

use super::connection::{Connection, exchange};
use super::effort::Effort;
use crate::command;
use crate::instance::{Instance, Process};

/// The bare axum, with a body of 13 bytes.
pub(crate) const HELLO: &str = "/";
/// The bare axum, with whoami's headers and body.
pub(crate) const HELLO_ANSWER: &str = "/answer";
/// The route with the key check.
pub(crate) const GUARDED: &str = "/api/v1/whoami";
/// The route that gateways ask.
pub(crate) const FORWARD_AUTH: &str = "/api/v1/forward-auth";
/// The same route as [`GUARDED`] without the key check (`server/src/bench.rs`).
pub(crate) const TWIN: &str = "/api/v1/bench/twin";
/// The same route with the key check, but without the cache.
pub(crate) const UNCACHED: &str = "/api/v1/bench/uncached";

/// A little longer than the interval at which the server writes usage.
const USAGE_INTERVAL: Duration = Duration::from_millis(4_500);
/// The limit on a start and on coming to rest.
const TIMEOUT: Duration = Duration::from_secs(300);

/// An instance with many keys.
pub(crate) struct Installation {
    instance: Instance,
    /// The secrets of all keys.
    pub(crate) secrets: Vec<String>,
}

impl Installation {
    /// Fills a database.
    pub(crate) fn fill(binary: &Path, effort: &Effort) -> Result<Self> {
        Self::fill_with(binary, "bench", effort.tenants, effort.keys_each)
    }

    /// Fills another database with two keys in use and `archived` archived ones.
    pub(crate) fn fill_archive(binary: &Path, archived: u32) -> Result<Self> {
        let filled = Self::fill_with(binary, "bench-archive", 1, 2)?;
        let archived = archived.to_string();
        command::run(&mut filled.instance.command(&["archive", &archived]))?;
        Ok(filled)
    }

    /// Fills an empty PostgreSQL database.
    pub(crate) fn fill_database(binary: &Path, effort: &Effort, url: &str) -> Result<Self> {
        let instance = Instance::new(binary, "bench-postgres")?.with_database(url);
        Self::fill_instance(instance, effort.tenants, effort.keys_each)
    }

    fn fill_with(binary: &Path, name: &str, tenants: u32, keys_each: u32) -> Result<Self> {
        Self::fill_instance(Instance::new(binary, name)?, tenants, keys_each)
    }

    fn fill_instance(instance: Instance, tenants: u32, keys_each: u32) -> Result<Self> {
        let file = instance.folder.join("secrets");
        let expected = tenants * keys_each;
        let (tenants, keys_each) = (tenants.to_string(), keys_each.to_string());
        command::run(instance.command(&["seed", &tenants, &keys_each]).arg(&file))?;
        let secrets = fs::read_to_string(&file)?;
        let secrets: Vec<_> = secrets.lines().map(str::to_owned).collect();
        let count = secrets.len();
        ensure!(count == expected as usize, "the database has {count} keys");
        Ok(Self { instance, secrets })
    }

    /// Runs a command with `--json` and returns its output.
    pub(crate) fn json(&self, arguments: &[&str]) -> Result<Value> {
        self.instance.json(arguments)
    }

    /// A key without an allowlist: the first of each ten has one.
    pub(crate) fn key_without_allowlist(&self) -> &str {
        &self.secrets[1]
    }

    /// Starts a server and waits until it accepts a key. Also returns the duration. `mode` is `serve`, or `hello` for the bare axum.
    pub(crate) fn start(
        &self,
        mode: &str,
        settings: &[(&str, &str)],
    ) -> Result<(Server, Duration)> {
        let path = if mode == "hello" { HELLO } else { GUARDED };
        let key = self.key_without_allowlist();
        let (address, metrics) = (free_address()?, free_address()?);
        let log = self.instance.folder.join(format!("{mode}.log"));
        let lines = OpenOptions::new().create(true).append(true).open(&log)?;
        let started = Instant::now();
        let child = self
            .instance
            .command(&[mode])
            .env("LATCHKEY_LISTEN", address.to_string())
            .env("LATCHKEY_METRICS_LISTEN", metrics.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(lines)
            .spawn()
            .context("cannot start the server")?;
        let mut server = Server {
            process: Process(child),
            address,
            metrics: (mode != "hello").then_some(metrics),
            log,
        };
        loop {
            match Connection::open(address).and_then(|mut connection| connection.get(path, key)) {
                Ok(200) => return Ok((server, started.elapsed())),
                Ok(other) => bail!("{path} responded {other}"),
                Err(_) if server.process.0.try_wait()?.is_some() || started.elapsed() > TIMEOUT => {
                    let log = fs::read_to_string(&server.log)?;
                    bail!("the server did not start: {log}")
                }
                Err(_) => sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    metrics: Option<SocketAddr>,
    log: PathBuf,
}

impl Server {
    /// The processor time of the process, in user and kernel mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.stats()?.stat()?;
        let ticks = (stat.utime + stat.stime) as f64;
        let per_second = procfs::ticks_per_second() as f64;
        Ok(Duration::from_secs_f64(ticks / per_second))
    }

    /// The resident memory in bytes: the current value, and the maximum since the last [`Self::reset_peak`].
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let status = self.stats()?.status()?;
        let (now, peak) = status.vmrss.zip(status.vmhwm).context("no VmRSS")?;
        Ok((now as f64 * 1024.0, peak as f64 * 1024.0))
    }

    pub(crate) fn reset_peak(&self) -> Result<()> {
        let file = format!("/proc/{}/clear_refs", self.process.0.id());
        // The value 5 resets VmHWM (proc(5)).
        Ok(fs::write(file, "5")?)
    }

    fn stats(&self) -> Result<Stats> {
        Ok(Stats::new(self.process.0.id().try_into()?)?)
    }

    /// The number of the server's key reads from the database; 0 for the bare axum, which has no metrics.
    pub(crate) fn database_reads(&self) -> Result<u64> {
        self.metric("latchkey_database_reads_total")
    }

    /// The number of secrets whose fingerprints are in memory; 0 while they are loaded.
    pub(crate) fn known_secrets(&self) -> Result<u64> {
        self.metric("latchkey_known_secrets")
    }

    fn metric(&self, name: &str) -> Result<u64> {
        let Some(metrics) = self.metrics else {
            return Ok(0);
        };
        let request =
            format!("GET /metrics HTTP/1.1\r\nhost: {metrics}\r\nconnection: close\r\n\r\n");
        let (_, response) = exchange(metrics, &request)?;
        let mut lines = response.lines();
        lines
            .find_map(|line| {
                let value = line.strip_prefix(name)?.strip_prefix(' ')?;
                value.parse().ok()
            })
            .with_context(|| format!("no {name} in /metrics"))
    }

    /// Waits until the server has finished the work that requests cause later: usage is written in batches.
    pub(crate) fn wait_until_at_rest(&self) -> Result<()> {
        let started = Instant::now();
        sleep(USAGE_INTERVAL);
        loop {
            let before = self.cpu()?;
            sleep(Duration::from_millis(500));
            // One clock tick.
            if self.cpu()? - before <= Duration::from_millis(10) {
                return Ok(());
            }
            let waited = started.elapsed();
            ensure!(waited < TIMEOUT, "the server does not come to rest");
        }
    }

    /// Empties the log.
    pub(crate) fn empty_log(&self) -> Result<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }
}

/// A free port of the loopback. Another process may take it before the server does; the server then fails to start.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
