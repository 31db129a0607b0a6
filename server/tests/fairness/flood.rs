//! Many connections that repeat the same requests, and the response times of other requests during that load.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::support::client::Connection;

/// The number of responses with each status; 0 represents a connection that ended.
pub(crate) type Statuses = BTreeMap<u16, u64>;

/// Connections that each send the next request as soon as the last response has arrived.
pub(crate) struct Flood {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    responses: AtomicU64,
    statuses: Mutex<Statuses>,
}

impl Flood {
    /// Starts the connections, which take the requests in turn.
    pub(crate) fn start(address: &str, connections: usize, requests: &[&str]) -> Self {
        let shared = Arc::new(Shared::default());
        let threads = requests
            .iter()
            .cycle()
            .take(connections)
            .map(|request| {
                let shared = Arc::clone(&shared);
                let (address, request) = (address.to_owned(), (*request).to_owned());
                thread::spawn(move || shared.run(&address, &request))
            })
            .collect();
        Self { shared, threads }
    }

    /// The number of responses so far.
    pub(crate) fn responses(&self) -> u64 {
        self.shared.responses.load(Ordering::Relaxed)
    }

    /// Ends the flood; returns the statuses of its responses.
    pub(crate) fn stop(mut self) -> Statuses {
        self.end();
        self.shared.statuses.lock().unwrap().clone()
    }

    fn end(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn run(&self, address: &str, request: &str) {
        let mut connection = None;
        let mut statuses = Statuses::new();
        while !self.stopped.load(Ordering::Relaxed) {
            if connection.is_none() {
                connection = Connection::try_open(address);
            }
            let status = connection.as_mut().and_then(|open| {
                if request.contains("connection: close") {
                    open.send_last(request)
                } else {
                    open.send(request).map(|(status, _)| status)
                }
            });
            if status.is_none() || request.contains("connection: close") {
                connection = None;
            }
            let status = status.unwrap_or_default();
            *statuses.entry(status).or_default() += 1;
            self.responses.fetch_add(1, Ordering::Relaxed);
        }
        let mut all = self.statuses.lock().unwrap();
        for (status, number) in statuses {
            *all.entry(status).or_default() += number;
        }
    }
}

/// Statuses and times of requests of one kind.
pub(crate) struct Responses {
    kind: &'static str,
    statuses: Statuses,
    times: Vec<Duration>,
}

impl Responses {
    pub(crate) const fn new(kind: &'static str) -> Self {
        Self {
            kind,
            statuses: Statuses::new(),
            times: Vec::new(),
        }
    }

    /// Sends a request and records its status and time.
    pub(crate) fn time(&mut self, request: impl FnOnce() -> Option<u16>) {
        let started = Instant::now();
        let status = request().unwrap_or_default();
        self.times.push(started.elapsed());
        *self.statuses.entry(status).or_default() += 1;
    }

    /// Asserts that every response has this status.
    #[track_caller]
    pub(crate) fn assert_all(&self, status: u16) {
        let expected = Statuses::from([(status, self.times.len() as u64)]);
        assert_eq!(self.statuses, expected, "{}", self.kind);
    }

    /// A percentile of the times; 100 is the slowest.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        let last = times.len() - 1;
        times[(times.len() * percent / 100).min(last)]
    }
}

impl fmt::Display for Responses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {:?}: p50 {:.1?}, p90 {:.1?}, p99 {:.1?}, most {:.1?}",
            self.kind,
            self.statuses,
            self.percentile(50),
            self.percentile(90),
            self.percentile(99),
            self.percentile(100)
        )
    }
}
