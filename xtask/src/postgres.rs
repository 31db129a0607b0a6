//! A PostgreSQL for the tests: in a temporary folder, on a free port of the loopback, gone with the suite.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command;
use crate::scratch;
use crate::tools;

/// How long a server may take to accept connections, on a busy machine too.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Runs the server as long as xtask holds the pipe to its standard input open: however xtask ends, `read` returns then, the
/// server is stopped and its folder removed. A server that fails leaves its log on the terminal. Arguments: folder, server,
/// its arguments.
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

/// A running server; dropping it stops it and removes its folder.
pub(crate) struct Postgres {
    guardian: Child,
    /// `postgres://…` of a user that may create databases.
    pub(crate) url: String,
}

impl Postgres {
    /// Makes a new cluster with the programs in `binaries` and waits until it answers.
    ///
    /// # Errors
    /// When the cluster cannot be made or does not answer; with the server's log then.
    pub(crate) fn start(binaries: &Path) -> Result<Self> {
        let user = SystemUser::for_postgres()?;
        let folder = new_folder(user.as_ref())?;
        let data = folder.join("data");
        // Tests' data outlives nothing: no flush to the disk anywhere.
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
        // Freed again for the server: between two lines of ours somebody may take it; the server then fails, and says so.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut start = as_user(PathBuf::from("sh"), &folder, user.as_ref());
        start
            .args(["-c", GUARDIAN, "guardian"])
            .arg(&folder)
            .arg(binaries.join("postgres"))
            .arg("-D")
            .arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
        ] {
            start.args(["-c", setting]);
        }
        start
            .arg("-c")
            .arg(format!("port={port}"))
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()));
        // A group of its own: Ctrl-C is for xtask, whose end the guardian notices.
        let guardian = start
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start PostgreSQL")?;
        let mut server = Self {
            guardian,
            url: format!("postgres://postgres@127.0.0.1:{port}/postgres"),
        };
        server.wait_until_ready(binaries, port)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, binaries: &Path, port: u16) -> Result<()> {
        let started = Instant::now();
        while !command::succeeds(
            Command::new(binaries.join("pg_isready"))
                .args(["--host=127.0.0.1", &format!("--port={port}")]),
        ) {
            if self.guardian.try_wait()?.is_some() {
                bail!("PostgreSQL did not start; its log is above");
            }
            if started.elapsed() > START_LIMIT {
                bail!(
                    "PostgreSQL did not answer within {} s",
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
        // Closing the pipe is the sign; waiting is for the folder to be gone when we are.
        drop(self.guardian.stdin.take());
        self.guardian.wait().ok();
    }
}

/// PostgreSQL refuses to run as root; Debian's package comes with a user for it.
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
            number
                .trim()
                .parse()
                .context("`id` did not answer with a number")
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
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if let Some(SystemUser { user, group }) = user {
        std::os::unix::fs::chown(&folder, Some(*user), Some(*group))
            .with_context(|| format!("cannot give away {}", folder.display()))?;
    }
    Ok(folder)
}
