//! A PostgreSQL primary with a synchronous standby, which a test may kill and promote.
//!
//! `TEST_POSTGRES_BINARIES` names the folder with `initdb` and the others. PostgreSQL refuses to run as root; as root, everything here
//! runs as the user `postgres`, whom Debian's package makes.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{skip::skip, sql, turns::wait_for_turn, until::until};

/// Two servers. Dropped, they are killed and their files are gone.
pub(crate) struct Cluster {
    pub(crate) primary: Instance,
    pub(crate) standby: Option<Instance>,
    binaries: PathBuf,
    folder: TempDir,
}

/// A server.
pub(crate) struct Instance {
    process: Child,
    data: PathBuf,
    port: u16,
}

impl Cluster {
    /// A primary and its standby; `None` where the programs are not named.
    pub(crate) fn start() -> Option<Self> {
        let mut cluster = Self::alone()?;
        let copy = cluster.folder.path().join("standby");
        let mut basebackup = as_postgres(&cluster.binaries.join("pg_basebackup"));
        basebackup
            .args([
                "--write-recovery-conf",
                "--checkpoint=fast",
                "--no-sync",
                "--dbname",
            ])
            .arg(cluster.primary.url("postgres"))
            .arg("--pgdata");
        run(basebackup.arg(&copy));
        let primary = &cluster.primary;
        let standby = Instance::start(&cluster.binaries, &copy);
        // After the copy: the standby, once promoted, waits for nobody.
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.execute("SELECT pg_reload_conf()");
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        until(|| primary.number(synchronous) == 1);
        cluster.standby = Some(standby);
        Some(cluster)
    }

    /// A primary without a standby; `None` where the programs are not named.
    pub(crate) fn alone() -> Option<Self> {
        wait_for_turn();
        #[expect(
            clippy::disallowed_methods,
            reason = "xtask says so by the environment"
        )]
        let binaries = std::env::var_os("TEST_POSTGRES_BINARIES");
        let Some(binaries) = binaries.map(PathBuf::from) else {
            skip("PostgreSQL's programs (TEST_POSTGRES_BINARIES)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        hand_over(folder.path());
        let data = folder.path().join("primary");
        let mut initdb = as_postgres(&binaries.join("initdb"));
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--pgdata",
        ]);
        run(initdb.arg(&data));
        Some(Self {
            primary: Instance::start(&binaries, &data),
            standby: None,
            binaries,
            folder,
        })
    }

    /// Starts the primary anew, at the same address.
    pub(crate) fn restart_primary(&mut self) {
        let Instance { data, port, .. } = &self.primary;
        self.primary = Instance::start_at(&self.binaries, &data.clone(), *port);
    }

    /// Starts the standby anew, at the same address.
    pub(crate) fn restart_standby(&mut self) {
        let Instance { data, port, .. } = self.standby.as_ref().unwrap();
        self.standby = Some(Instance::start_at(&self.binaries, data, *port));
    }

    /// Makes the standby the primary; returns when it is one.
    pub(crate) fn promote_standby(&self) -> &Instance {
        let standby = self.standby.as_ref().unwrap();
        let mut promote = as_postgres(&self.binaries.join("pg_ctl"));
        promote.args(["promote", "--wait", "--silent", "--pgdata"]);
        run(promote.arg(&standby.data));
        standby
    }
}

impl Instance {
    fn start(binaries: &Path, data: &Path) -> Self {
        // Free again for the server: should somebody take it in between, the server does not start, and the test fails.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        Self::start_at(binaries, data, free.unwrap().port())
    }

    fn start_at(binaries: &Path, data: &Path, port: u16) -> Self {
        let mut command = as_postgres(&binaries.join("postgres"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.arg("-D").arg(data);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", data.display()),
            // What is killed is a process and not the machine.
            "fsync=off".to_owned(),
            "max_connections=100".to_owned(),
        ] {
            command.args(["-c", &setting]);
        }
        let mut server = Self {
            process: command.spawn().unwrap(),
            data: data.to_path_buf(),
            port,
        };
        until(|| {
            // Those that a killed one has left behind are still at its memory for a moment.
            if server.process.try_wait().unwrap().is_some() {
                server.process = command.spawn().unwrap();
            }
            sql::number(&server.url("postgres"), "SELECT 1::bigint").is_ok()
        });
        server
    }

    /// Kills it as the loss of its machine would.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@{}/{database}", self.address())
    }

    /// Puts a file into its data, for its eyes alone.
    pub(crate) fn put(&self, name: &str, content: &str) {
        let file = self.data.join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        hand_over(&file);
    }

    pub(crate) fn execute(&self, sql: &str) {
        sql::execute(&self.url("postgres"), sql).unwrap();
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        sql::number(&self.url("postgres"), sql).unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    if let Some((user, group)) = postgres_user() {
        command.uid(user).gid(group).current_dir("/");
    }
    command
}

/// Makes the file or folder that user's.
fn hand_over(path: &Path) {
    if let Some((user, group)) = postgres_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}

/// As whom to run, where we are root.
fn postgres_user() -> Option<(u32, u32)> {
    let number = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if number(&["-u"])? != 0 {
        return None;
    }
    Some((number(&["-u", "postgres"])?, number(&["-g", "postgres"])?))
}
