//! 32 connections that ask about keys again and again, and know from when on the answer has to be another one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::server::connect;

const CONNECTIONS: usize = 32;
/// By each state of a key: where one key is asked about, and of each where there are many.
const REQUESTS: [u64; 2] = [4 * CONNECTIONS as u64, 2 * CONNECTIONS as u64];
/// More than a loaded machine needs for some hundred requests.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a server may do besides judging rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    /// Nothing.
    AreWell,
    /// Fail: say 503, or be gone for a while.
    MayFail,
}

/// What is asked about, and what may come of it.
pub(crate) struct Target {
    secret: String,
    before: u16,
    after: u16,
    /// Whether a later change may bring the old state back.
    comes_back: bool,
    /// The change was answered: whatever is sent from now on is judged by the new state.
    answered: AtomicBool,
    /// Requests sent before that, and afterwards.
    sent: [AtomicU64; 2],
}

impl Target {
    /// A key that is answered with `before` and, after its change, with `after`.
    pub(crate) fn new(secret: &str, before: u16, after: u16) -> Self {
        Self {
            secret: secret.to_owned(),
            before,
            after,
            comes_back: false,
            answered: AtomicBool::default(),
            sent: Default::default(),
        }
    }

    /// From now on nothing may be judged by its old state.
    fn mark_answered(&self) {
        self.answered.store(true, Ordering::SeqCst);
    }

    /// A later change brings its old state back.
    pub(crate) fn that_comes_back(mut self) -> Self {
        self.comes_back = true;
        self
    }
}

/// The connections.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    servers: Servers,
    pause: Duration,
    targets: Mutex<Arc<[Arc<Target>]>>,
    stopped: AtomicBool,
    requests: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Load {
    /// Spread over the servers at these addresses. Each connection makes a `pause` between two requests, so that the machine has time for
    /// the change too.
    pub(crate) fn start(addresses: &[&str], servers: Servers, pause: Duration) -> Self {
        let shared = Arc::new(Shared {
            servers,
            pause,
            targets: Mutex::new(Arc::new([])),
            stopped: AtomicBool::default(),
            requests: AtomicU64::default(),
            wrong: Mutex::default(),
        });
        let threads = addresses
            .iter()
            .cycle()
            .take(CONNECTIONS)
            .map(|address| {
                let (shared, address) = (Arc::clone(&shared), (*address).to_owned());
                thread::spawn(move || shared.run(&address))
            })
            .collect();
        Self { shared, threads }
    }

    /// Asks about `target` until enough was answered by the old state, makes the change, and asks on until enough was answered by the
    /// new one.
    pub(crate) fn during(&self, target: Target, change: impl FnOnce()) {
        self.meanwhile(vec![target], |targets| {
            change();
            targets[0].mark_answered();
        });
    }

    /// [`Self::during`] for many targets and the change of each, all at once.
    pub(crate) fn during_all(&self, targets: Vec<Target>, change: impl Fn(usize) + Sync) {
        self.meanwhile(targets, |targets| {
            thread::scope(|scope| {
                for (number, target) in targets.iter().enumerate() {
                    let change = &change;
                    scope.spawn(move || {
                        change(number);
                        target.mark_answered();
                    });
                }
            });
        });
    }

    /// Asks about the targets until enough was answered, has something done, and asks on until enough was answered again: by the new
    /// state of those that were changed by then, and by the old one of the others.
    pub(crate) fn meanwhile<T>(
        &self,
        targets: Vec<Target>,
        event: impl FnOnce(&[Arc<Target>]) -> T,
    ) -> T {
        let targets: Arc<[_]> = targets.into_iter().map(Arc::new).collect();
        *self.shared.targets.lock().unwrap() = Arc::clone(&targets);
        self.wait_for_answers(&targets, false);
        let done = event(&targets);
        self.wait_for_answers(&targets, true);
        done
    }

    /// How many requests were answered in all.
    pub(crate) fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Waits until there were enough of each: since now of those that stay as they are.
    fn wait_for_answers(&self, targets: &[Arc<Target>], is_over: bool) {
        let enough = REQUESTS[usize::from(targets.len() > 1)];
        let until = Instant::now() + PATIENCE;
        let needed: Vec<_> = targets
            .iter()
            .map(|target| {
                let is_answered = target.answered.load(Ordering::SeqCst);
                let sent = &target.sent[usize::from(is_answered)];
                let already = sent.load(Ordering::Relaxed);
                // What stays as it is was answered so before, too.
                let counts_already = is_answered || !is_over;
                (sent, enough + if counts_already { 0 } else { already })
            })
            .collect();
        for (sent, needed) in needed {
            while sent.load(Ordering::Relaxed) < needed {
                self.assert_right();
                assert!(Instant::now() < until, "too slow");
                thread::park_timeout(Duration::from_millis(1));
            }
        }
        self.assert_right();
    }

    fn assert_right(&self) {
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        if !thread::panicking() {
            self.assert_right();
        }
    }
}

impl Shared {
    fn run(&self, address: &str) {
        let mut connection = None;
        let mut turn = 0_usize;
        while !self.stopped.load(Ordering::Relaxed) {
            let targets = Arc::clone(&self.targets.lock().unwrap());
            if !targets.is_empty() {
                let target = &targets[turn % targets.len()];
                turn += 1;
                // Before it is sent.
                let answered = target.answered.load(Ordering::SeqCst);
                if connection.is_none() {
                    connection = Connection::try_open(address);
                }
                let status = connection
                    .as_mut()
                    .and_then(|open| open.ask(&target.secret));
                let is_right =
                    status == Some(target.after) || (!answered && status == Some(target.before));
                let is_current = Arc::ptr_eq(&self.targets.lock().unwrap(), &targets);
                let is_late = answered && status == Some(target.before) && !target.comes_back;
                if !is_current && !is_late {
                    // The next changes were asked for meanwhile, perhaps of the same keys.
                    if status.is_none() {
                        connection = None;
                    }
                } else if is_right {
                    target.sent[usize::from(answered)].fetch_add(1, Ordering::Relaxed);
                    self.requests.fetch_add(1, Ordering::Relaxed);
                } else if self.servers == Servers::MayFail && matches!(status, None | Some(503)) {
                    connection = None;
                } else {
                    self.wrong.lock().unwrap().push(format!(
                        "{status:?} by {address} for a request sent {} the answer",
                        if answered { "after" } else { "before" }
                    ));
                    return;
                }
            }
            thread::park_timeout(self.pause);
        }
    }
}

/// A connection that is kept open.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        Self::on(connect(address))
    }

    pub(crate) fn on(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// `None` where nobody listens.
    pub(crate) fn try_open(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Self::on(stream))
    }

    /// The status for a request with that key to a route that asks for `orders:read`.
    pub(crate) fn ask(&mut self, secret: &str) -> Option<u16> {
        let request = format!(
            "GET /api/v1/forward-auth/for/acme/orders:read/ HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\n\r\n"
        );
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        self.read().map(|(status, _)| status)
    }

    /// One answer: its status and its body.
    pub(crate) fn read(&mut self) -> Option<(u16, String)> {
        let mut line = String::new();
        self.0.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line).ok()?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some((status, String::from_utf8(body).ok()?))
    }

    /// The status for a request that asks for the connection to be closed, once all of the answer has come, in whatever form.
    pub(crate) fn send_last(&mut self, request: &str) -> Option<u16> {
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).ok()?;
        let line = String::from_utf8_lossy(answer.get(..12)?).into_owned();
        line.strip_prefix("HTTP/1.1 ")?.parse().ok()
    }

    pub(crate) fn send(&mut self, request: &str) -> Option<(u16, String)> {
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        self.read()
    }
}
