//! `latchkey serve` as a process of its own, and the plainest of clients.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use super::binary::Latchkey;

/// More than a loaded machine needs to start a server.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// More than the ten seconds that requests may go on.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// Where its metrics are, where they are on.
    pub(crate) metrics: Option<String>,
    log: Mutex<mpsc::Receiver<String>>,
}

impl Server {
    /// Starts one and waits until it says that it is ready.
    pub(crate) fn start(latchkey: &Latchkey, arguments: &[&str]) -> Self {
        let mut child = latchkey
            .command(&[&["serve"], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("latchkey runs");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (sender, log) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let mut server = Self {
            child,
            address: String::new(),
            metrics: None,
            log: Mutex::new(log),
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

    /// Waits for a line of the log with `text` and returns every line up to it.
    pub(crate) fn wait_for_line(&mut self, text: &str) -> Vec<String> {
        let until = Instant::now() + START_TIMEOUT;
        let mut seen = Vec::new();
        while let Ok(line) = self
            .log
            .get_mut()
            .expect("nobody panics with it")
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            seen.push(line);
            if seen.last().is_some_and(|line| line.contains(text)) {
                return seen;
            }
        }
        let _ = self.child.kill();
        panic!("no line with {text:?} in {seen:#?}");
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(&self.address)
    }

    pub(crate) fn get(&self, path: &str, headers: &str) -> String {
        get(&self.address, path, headers)
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        // The system stops one thread after the other, and on a busy machine some run on for a while.
        while name == "STOP" && !self.is_stopped() {
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// Whether each of its threads is stopped, as /proc tells it (proc(5)).
    fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        tasks.flatten().all(|task| {
            std::fs::read_to_string(task.path().join("stat")).is_ok_and(|stat| {
                stat.rsplit_once(") ")
                    .is_some_and(|(_, rest)| rest.starts_with('T'))
            })
        })
    }

    /// Waits for its end and returns its code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + STOP_TIMEOUT;
        // The log ends with the process.
        loop {
            match self
                .log
                .get_mut()
                .expect("nobody panics with it")
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it did not end");
                }
            }
        }
        self.child.wait().expect("it ended").code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it accepts");
    stream.set_read_timeout(Some(STOP_TIMEOUT)).expect("a time");
    stream
}

/// The whole answer to a GET; each of the headers with its line end.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> String {
    let mut stream = connect(address);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"
    )
    .expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}
