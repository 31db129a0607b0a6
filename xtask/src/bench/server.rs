//! The servers that are measured, and what the system says of them.

use std::fs::{self, File, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::load::Connection;
use super::secret;
use crate::command;
use crate::scratch;

/// Where a bare axum says hello.
pub(crate) const HELLO: &str = "/";
/// Where it answers with what whoami sends.
pub(crate) const HELLO_ANSWER: &str = "/answer";
/// Where the check stands.
pub(crate) const GUARDED: &str = "/api/v1/whoami";
/// The same without it (`server/src/bench.rs`).
pub(crate) const TWIN: &str = "/api/v1/bench/twin";
/// The same with the check, but without its memory.
pub(crate) const UNCACHED: &str = "/api/v1/bench/uncached";

/// A little longer than the server waits before it writes down which keys were used.
const WRITES_AFTER: Duration = Duration::from_millis(3_500);
/// How long it may take to start, or to come to rest.
const PATIENCE: Duration = Duration::from_secs(300);

/// A database full of keys in a temporary folder.
pub(crate) struct Installation {
    binary: PathBuf,
    folder: PathBuf,
    /// Of every key.
    pub(crate) secrets: Vec<String>,
}

impl Installation {
    /// Fills a database.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn fill(binary: &Path, tenants: u32, keys_each: u32) -> Result<Self> {
        let folder = scratch::folder().join(format!("latchkey-bench-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut installation = Self {
            binary: binary.to_path_buf(),
            folder,
            secrets: Vec::new(),
        };
        let file = installation.folder.join("secrets");
        let mut seed = installation.command("seed");
        seed.args([tenants.to_string(), keys_each.to_string()])
            .arg(&file);
        command::run(&mut seed)?;
        let secrets = fs::read_to_string(&file)?;
        installation.secrets = secrets.lines().map(str::to_owned).collect();
        ensure!(
            installation.secrets.len() == (tenants * keys_each) as usize,
            "the database holds {} keys",
            installation.secrets.len()
        );
        secret::check_form(installation.key())?;
        Ok(installation)
    }

    /// The key of the loads with one key.
    pub(crate) fn key(&self) -> &str {
        self.secrets.first().map_or("", String::as_str)
    }

    /// A key without an allowlist: the first of each ten has one.
    pub(crate) fn key_for_anyone(&self) -> &str {
        self.secrets.get(1).map_or("", String::as_str)
    }

    /// Starts Latchkey and waits until it lets a key through. How long that took comes along.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn serve(&self) -> Result<(Server, Duration)> {
        self.start("serve", GUARDED, self.key(), &[])
    }

    /// The same, behind a proxy that says from where its requests come.
    ///
    /// # Errors
    /// As [`Self::serve`].
    pub(crate) fn serve_behind_proxy(&self) -> Result<Server> {
        let proxy = [("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1")];
        Ok(self
            .start("serve", GUARDED, self.key_for_anyone(), &proxy)?
            .0)
    }

    /// Starts the bare axum.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn hello(&self) -> Result<Server> {
        Ok(self.start("hello", HELLO, self.key(), &[])?.0)
    }

    fn start(
        &self,
        mode: &str,
        path: &str,
        key: &str,
        settings: &[(&str, &str)],
    ) -> Result<(Server, Duration)> {
        let (address, metrics) = (free_address()?, free_address()?);
        let log = self.folder.join(format!("{mode}.log"));
        let lines = OpenOptions::new().create(true).append(true).open(&log)?;
        let mut start = self.command(mode);
        start
            .env("LATCHKEY_LISTEN", address.to_string())
            .env("LATCHKEY_METRICS_LISTEN", metrics.to_string())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(lines);
        let started = Instant::now();
        let child = start.spawn().context("cannot start the server")?;
        let mut server = Server {
            child,
            address,
            metrics,
            log,
        };
        loop {
            let answer =
                Connection::open(address).and_then(|mut connection| connection.ask(path, key));
            match answer {
                Ok(200) => return Ok((server, started.elapsed())),
                Ok(other) => bail!("{path} answered {other}"),
                Err(_) if server.child.try_wait()?.is_some() || started.elapsed() > PATIENCE => {
                    bail!(
                        "the server did not start: {}",
                        fs::read_to_string(&server.log)?
                    )
                }
                Err(_) => sleep(Duration::from_millis(1)),
            }
        }
    }

    /// With the settings that an operator has who sets none.
    fn command(&self, mode: &str) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("LATCHKEY_"))
            {
                command.env_remove(name);
            }
        }
        let database = self.folder.join("latchkey.db");
        command
            .arg(mode)
            .env(
                "DATABASE_URL",
                format!("sqlite://{}?mode=rwc", database.display()),
            )
            .env("LATCHKEY_DRAIN_SECONDS", "0")
            .env_remove("RUST_LOG");
        command
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// A running server; dropping it stops it.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    metrics: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// The processor time that it has used, in itself and in the system.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let ticks = ticks(&stat).context("/proc/PID/stat is not as proc(5) has it")?;
        Ok(Duration::from_secs_f64(
            ticks as f64 / ticks_per_second()? as f64,
        ))
    }

    /// The memory that it occupies, in bytes: the program itself, as far as it was read, is in it.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        kib_of(&status, "VmRSS:")
            .map(|kib| kib * 1024)
            .context("/proc/PID/status is not as proc(5) has it")
    }

    /// How often it has asked the database for a key.
    ///
    /// # Errors
    /// When it does not say.
    pub(crate) fn database_reads(&self) -> Result<u64> {
        let mut connection = Connection::open(self.metrics)?;
        let status = connection.ask("/metrics", "")?;
        ensure!(status == 200, "/metrics answered {status}");
        str::from_utf8(connection.body())?
            .lines()
            .find_map(|line| line.strip_prefix("latchkey_database_reads_total "))
            .and_then(|count| count.parse().ok())
            .context("/metrics does not say how often the database was asked for a key")
    }

    /// Waits until what requests have left behind is done: when keys were last used is written later, and all at once.
    ///
    /// # Errors
    /// When it never rests.
    pub(crate) fn wait_until_at_rest(&self) -> Result<()> {
        let started = Instant::now();
        sleep(WRITES_AFTER);
        loop {
            let before = self.cpu()?;
            sleep(Duration::from_millis(500));
            // One tick: nothing in half a second is finer than that.
            if self.cpu()? - before <= Duration::from_millis(10) {
                return Ok(());
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "the server does not come to rest"
            );
        }
    }

    /// Empties its log, which has a line for every request.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn empty_log(&self) -> Result<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // As an operator ends it, so that the next start finds a database that was closed.
        let pid = self.child.id().to_string();
        if !command::succeeds(Command::new("kill").args(["-TERM", &pid])) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

/// A port of the loopback, freed again for the server: between two lines of ours somebody may take it; the server then fails, and says
/// so.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// `utime` and `stime`. The name of the program stands before them, in parentheses, and can be anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let mut field = || fields.next()?.parse::<u64>().ok();
    Some(field()? + field()?)
}

fn ticks_per_second() -> Result<u64> {
    let text = command::output(Command::new("getconf").arg("CLK_TCK"))?;
    text.trim()
        .parse()
        .context("`getconf` did not answer with a number")
}

/// The number behind `name` in a file of /proc.
pub(crate) fn kib_of(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_as_linux_writes_them() {
        let stat = "77 (a ) b) S 1 77 77 0 -1 4194560 900 0 0 0 210 35 0 0 20 0 4 0 9 8 7";
        assert_eq!(ticks(stat), Some(245));
        assert_eq!(ticks("77 (short) S 1"), None);
        assert_eq!(
            kib_of("VmHWM:\t  99 kB\nVmRSS:\t   41236 kB\n", "VmRSS:"),
            Some(41_236)
        );
        assert_eq!(kib_of("VmHWM:\t  99 kB\n", "VmRSS:"), None);
    }
}
