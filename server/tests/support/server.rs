//! `latchkey serve` as a process.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::{
    binary::Latchkey,
    client::{connect, get, metric},
    wait::PATIENCE,
};

/// A running server. Dropping this kills it.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Host and port.
    pub(crate) address: String,
    /// Host and port of the metrics, if they are enabled.
    pub(crate) metrics: Option<String>,
    /// Lines of the log that are not yet in `written`.
    log: Mutex<mpsc::Receiver<Vec<u8>>>,
    /// The part of the log that was read.
    written: Vec<u8>,
}

impl Server {
    /// Starts a server and waits until its log reports that it is ready.
    pub(crate) fn start(latchkey: &Latchkey, arguments: &[&str]) -> Self {
        let mut child = latchkey
            .command(&[&["serve"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("latchkey runs");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            let mut line = Vec::new();
            while stderr
                .read_until(b'\n', &mut line)
                .is_ok_and(|size| size > 0)
            {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            address: String::new(),
            metrics: None,
            log: Mutex::new(log),
            written: Vec::new(),
        };
        let seen = server.wait_for_line("Latchkey is ready on http://");
        let address = |text: &str| {
            let line = seen.iter().find(|line| line.contains(text))?;
            let address = line.split("http://").nth(1)?;
            Some(address.split(['"', '/']).next()?.to_owned())
        };
        server.metrics = address("Metrics are on");
        server.address = address("Latchkey is ready on").expect("the address");
        server
    }

    /// Waits for a line of the log that contains `text`; returns every line up to it.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        while let Ok(line) = self.read_line(deadline) {
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
        let _ = self.child.kill();
        panic!("no line with {text:?} in {seen:#?}");
    }

    fn read_line(&mut self, deadline: Instant) -> Result<String, mpsc::RecvTimeoutError> {
        let log = self.log.get_mut().expect("no thread panics with it");
        let line = log.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
        self.written.extend_from_slice(&line);
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(&self.address)
    }

    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        get(&self.address, path, headers)
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        metric(self.metrics.as_ref().expect("metrics are on"), name)
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        // The kernel stops one thread after the other; on a busy machine some threads continue for a moment.
        while name == "STOP" && !self.is_stopped() {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Whether each of its threads is stopped, according to `/proc` (proc(5)).
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        tasks.flatten().all(|task| {
            std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| {
                stat.rsplit_once(") ")
                    .is_some_and(|(_, rest)| rest.starts_with('T'))
            })
        })
    }

    /// Waits until the process ends; returns its exit code.
    pub(crate) fn wait_for_exit(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        // The log ends with the process.
        loop {
            match self.read_line(deadline) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("the server did not end");
                }
            }
        }
        self.child.wait().expect("the process ended").code()
    }

    /// Stops the server as an operator does. The exit code must be 0. Returns all of its output.
    pub(crate) fn stop(mut self) -> Vec<u8> {
        self.signal("TERM");
        assert_eq!(self.wait_for_exit(), Some(0));
        let mut written = std::mem::take(&mut self.written);
        let mut stdout = self.child.stdout.take().expect("piped");
        stdout.read_to_end(&mut written).expect("standard output");
        written
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
