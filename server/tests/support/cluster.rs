//! A PostgreSQL primary, with or without a synchronous standby, that a test kills and promotes.
//!
//! `TEST_POSTGRES_BINARIES` is the folder of `initdb` and the other programs. PostgreSQL refuses to run as root; for root, they run as the
//! user `postgres` of Debian's package.

use std::{
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{environment::setting, skip::skip, sql, turns::wait_for_turn, wait::wait_until};

/// The servers. Dropping this kills them and removes their files.
pub(crate) struct PostgresCluster {
    pub(crate) primary: PostgresServer,
    pub(crate) standby: Option<PostgresServer>,
    binaries: PathBuf,
    folder: TempDir,
}

/// A PostgreSQL server.
pub(crate) struct PostgresServer {
    process: Child,
    data: PathBuf,
    port: u16,
}

impl PostgresCluster {
    /// A primary and its standby; `None` if `TEST_POSTGRES_BINARIES` is not set.
    pub(crate) fn with_standby() -> Option<Self> {
        let mut cluster = Self::primary_only()?;
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
        let standby = PostgresServer::start(&cluster.binaries, &copy);
        // Set after the copy, so that the promoted standby does not wait for a standby itself.
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'");
        primary.execute("SELECT pg_reload_conf()");
        let synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        wait_until(|| primary.number(synchronous) == 1);
        cluster.standby = Some(standby);
        Some(cluster)
    }

    /// A primary without a standby; `None` if `TEST_POSTGRES_BINARIES` is not set.
    pub(crate) fn primary_only() -> Option<Self> {
        wait_for_turn();
        let binaries = postgres_binaries()?;
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
            primary: PostgresServer::start(&binaries, &data),
            standby: None,
            binaries,
            folder,
        })
    }

    /// Restarts the primary at the same address.
    pub(crate) fn restart_primary(&mut self) {
        let PostgresServer { data, port, .. } = &self.primary;
        self.primary = PostgresServer::start_at(&self.binaries, &data.clone(), *port);
    }

    /// Restarts the standby at the same address.
    pub(crate) fn restart_standby(&mut self) {
        let PostgresServer { data, port, .. } = self.standby.as_ref().unwrap();
        self.standby = Some(PostgresServer::start_at(&self.binaries, data, *port));
    }

    /// Promotes the standby and waits until it is the primary.
    pub(crate) fn promote_standby(&self) -> &PostgresServer {
        let standby = self.standby.as_ref().unwrap();
        let mut promote = as_postgres(&self.binaries.join("pg_ctl"));
        promote.args(["promote", "--wait", "--silent", "--pgdata"]);
        run(promote.arg(&standby.data));
        standby
    }
}

impl PostgresServer {
    fn start(binaries: &Path, data: &Path) -> Self {
        // The port is free for the server now. If another process takes it in between, the server does not start and the test fails.
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
            // Tests kill the process, not the machine.
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
        wait_until(|| {
            // The child processes of a killed server hold its shared memory for a moment; until then it does not start.
            if server.process.try_wait().unwrap().is_some() {
                server.process = command.spawn().unwrap();
            }
            sql::number(&server.url("postgres"), "SELECT 1::bigint").is_ok()
        });
        server
    }

    /// Kills the server without a shutdown.
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

    /// Writes a file into the data folder that only the server may read.
    pub(crate) fn write_file(&self, name: &str, content: &str) {
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

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder of PostgreSQL's programs; `None` if `TEST_POSTGRES_BINARIES` is not set, which is reported.
pub(crate) fn postgres_binaries() -> Option<PathBuf> {
    let binaries = setting("TEST_POSTGRES_BINARIES").map(PathBuf::from);
    if binaries.is_none() {
        skip("PostgreSQL's programs (TEST_POSTGRES_BINARIES)");
    }
    binaries
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

/// Makes the user `postgres` the owner.
fn hand_over(path: &Path) {
    if let Some((user, group)) = postgres_user() {
        std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
    }
}

/// The user and group `postgres`, if the tests run as root.
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
