//! A PostgreSQL server for tests, in a temporary folder, on a free port of the loopback.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::scratch;
use crate::tools;

/// The limit on the start of the server, also on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs the server until the pipe to its stdin closes, which happens whenever xtask ends; then stops the server and removes the folder.
/// Prints the server's log if the server fails. Arguments: folder, server, the server's arguments.
const GUARDIAN: &str = r#"
folder=$1; shift
exec 3<&0
"$@" >"$folder/log" 2>&1 </dev/null 3<&- &
server=$!
(read -r never <&3; kill -INT "$server") &
reader=$!
wait "$server" || cat "$folder/log" >&2
kill "$reader" 2>/dev/null
cd / && rm -rf "$folder"
"#;

/// A running server. Dropping it stops the server and removes its folder.
pub(crate) struct Postgres {
    guardian: Child,
    /// `postgres://…`, with a user that may create databases.
    pub(crate) url: String,
    /// Contains the data and the Unix socket.
    folder: PathBuf,
}

/// Settings for test data, which need not survive a crash: nothing is flushed to the disk.
const VOLATILE: [&str; 3] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

impl Postgres {
    /// Creates a cluster with the programs in `binaries` and waits until it accepts connections.
    ///
    /// # Errors
    /// If the cluster cannot be created or does not accept connections.
    pub(crate) fn start(binaries: &Path) -> Result<Self> {
        Self::start_with(binaries, &VOLATILE)
    }

    /// Like [`Self::start`], with PostgreSQL's defaults for commits.
    ///
    /// # Errors
    /// As of [`Self::start`].
    pub(crate) fn start_durable(binaries: &Path) -> Result<Self> {
        Self::start_with(binaries, &[])
    }

    fn start_with(binaries: &Path, settings: &[&str]) -> Result<Self> {
        let user = SystemUser::for_postgres()?;
        let folder = new_folder(user.as_ref())?;
        let data = folder.join("data");
        command::output(
            as_user(binaries.join("initdb"), &folder, user.as_ref())
                .args([
                    "--username=postgres",
                    "--auth=trust",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--no-sync",
                    "--pgdata",
                ])
                .arg(&data),
        )?;
        // Another process may take the port before the server does; the server then fails to start.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut start = as_user(PathBuf::from("sh"), &folder, user.as_ref());
        start
            .args(["-c", GUARDIAN, "guardian"])
            .arg(&folder)
            .arg(binaries.join("postgres"))
            .arg("-D")
            .arg(&data);
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200"]
            .iter()
            .chain(settings)
        {
            start.args(["-c", setting]);
        }
        start
            .arg("-c")
            .arg(format!("port={port}"))
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()));
        // A separate process group: Ctrl-C must reach only xtask, and the guardian stops the server when xtask ends.
        let guardian = start
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start PostgreSQL")?;
        let mut server = Self {
            guardian,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
            folder,
        };
        server.wait_until_ready(binaries, port)?;
        Ok(server)
    }

    /// The same database as [`Self::url`], over the Unix socket.
    pub(crate) fn socket_url(&self) -> String {
        let folder = self.folder.display();
        let local = self.url.replace("127.0.0.1", "localhost");
        format!("{local}?host={folder}")
    }

    /// The processor time of all processes of the server, also of those that have ended.
    ///
    /// # Errors
    /// If the server does not run.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let file = std::fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let main: i32 = file.lines().next().context("no PID")?.trim().parse()?;
        let mut ticks = 0;
        for process in procfs::process::all_processes()? {
            // A process may end meanwhile.
            let Ok(stat) = process.and_then(|process| process.stat()) else {
                continue;
            };
            if stat.pid == main {
                ticks += stat.utime + stat.stime + (stat.cutime + stat.cstime).unsigned_abs();
            } else if stat.ppid == main {
                ticks += stat.utime + stat.stime;
            }
        }
        let per_second = procfs::ticks_per_second() as f64;
        Ok(Duration::from_secs_f64(ticks as f64 / per_second))
    }

    fn wait_until_ready(&mut self, binaries: &Path, port: u16) -> Result<()> {
        let started = Instant::now();
        while !command::succeeds(
            Command::new(binaries.join("pg_isready"))
                .args(["--host=127.0.0.1", &format!("--port={port}")]),
        ) {
            if self.guardian.try_wait()?.is_some() {
                bail!("PostgreSQL did not start; see its log above");
            }
            if started.elapsed() > START_LIMIT {
                bail!(
                    "PostgreSQL did not accept connections within {} s",
                    START_LIMIT.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Closing the pipe stops the server; waiting ensures that the folder is removed.
        drop(self.guardian.stdin.take());
        self.guardian.wait().ok();
    }
}

/// The user that runs the server: PostgreSQL refuses to run as root, and Debian's package creates the user `postgres`.
struct SystemUser {
    user: u32,
    group: u32,
}

impl SystemUser {
    fn for_postgres() -> Result<Option<Self>> {
        if !tools::is_root()? {
            return Ok(None);
        }
        let number = |option: &str| -> Result<u32> {
            let number = command::output(Command::new("id").args([option, "postgres"]))?;
            number.trim().parse().context("`id` did not print a number")
        };
        Ok(Some(Self {
            user: number("-u")?,
            group: number("-g")?,
        }))
    }
}

fn as_user(program: PathBuf, folder: &Path, user: Option<&SystemUser>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    if let Some(SystemUser { user, group }) = user {
        command.uid(*user).gid(*group);
    }
    command
}

fn new_folder(user: Option<&SystemUser>) -> Result<PathBuf> {
    let folder = scratch::folder().join(format!("latchkey-postgres-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if let Some(SystemUser { user, group }) = user {
        std::os::unix::fs::chown(&folder, Some(*user), Some(*group))
            .with_context(|| format!("cannot change the owner of {}", folder.display()))?;
    }
    Ok(folder)
}
