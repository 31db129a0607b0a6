//! A rolling restart behind a proxy.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use super::{
    console::{ask, create_key},
    program,
    reverse_proxy::{Compression, ReverseProxy, lasting_port, local},
};
use crate::support::{
    binary::Latchkey, environment::is_soak, postgres::PostgresDatabase, server::Server,
    wait::wait_until,
};

/// Asserts that no request fails while two replicas are restarted one after the other.
pub(super) fn check(proxy: ReverseProxy) {
    let Some(database) = PostgresDatabase::create() else {
        return;
    };
    let operator = Latchkey::new().with("DATABASE_URL", &database.url());
    let secret = create_key(&operator).secret;
    let mut replicas: Vec<_> = (0..2)
        .map(|_| {
            let latchkey = Latchkey::new()
                .with("DATABASE_URL", &database.url())
                .with("LATCHKEY_LISTEN", &local(lasting_port()).to_string())
                .with("LATCHKEY_METRICS_LISTEN", "127.0.0.1:0")
                .with("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1")
                .with("LATCHKEY_DRAIN_SECONDS", "5");
            (Server::start(&latchkey, &[]), latchkey)
        })
        .collect();
    let folder = TempDir::new().unwrap();
    let at = local(lasting_port());
    let servers: Vec<_> = replicas
        .iter()
        .map(|(server, _)| server.address.clone())
        .collect();
    let Some(_program) = proxy.start(folder.path(), at, &servers, Compression::Off) else {
        return;
    };
    let traffic = Traffic::start(at, &secret);
    wait_until(|| replicas.iter().all(|(server, _)| has_traffic(server)));
    for (server, latchkey) in &mut replicas {
        server.signal("TERM");
        server.wait_for_line("draining");
        assert!(server.get("/readyz", "").starts_with("HTTP/1.1 503"));
        assert_eq!(server.wait_for_exit(), Some(0));
        *server = Server::start(latchkey, &[]);
        wait_until(|| has_traffic(server));
    }
    let tally = traffic.stop();
    if !tally.failed.is_empty() {
        let log = program::logs(folder.path());
        let errors: Vec<_> = log.lines().filter(|line| line.contains("error")).collect();
        panic!("{:#?}\n{errors:#?}", tally.failed);
    }
    for (request, answered) in tally.answered {
        eprintln!("{proxy:?}: {answered} × {request}");
        assert!(answered > 50, "{request}: {answered}");
    }
}

/// Whether a server has verified a key since it started, which means that the proxy uses it.
fn has_traffic(server: &Server) -> bool {
    server.metric("latchkey_database_reads_total") > 0
}

/// Requests at a constant rate, in equal parts of each kind.
struct Traffic {
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

/// The outcomes of the requests.
#[derive(Default)]
struct Tally {
    answered: BTreeMap<&'static str, u64>,
    failed: Vec<String>,
}

/// The pause between two requests of a thread.
const PAUSE: Duration = Duration::from_millis(100);

impl Traffic {
    /// Starts 60 requests per second; 200 in the soak.
    fn start(at: SocketAddr, secret: &str) -> Self {
        let threads = if is_soak() { 20 } else { 6 };
        let stopped = Arc::new(AtomicBool::new(false));
        let threads = (0..threads).map(|_| {
            let (stopped, secret) = (Arc::clone(&stopped), secret.to_owned());
            thread::spawn(move || {
                let mut tally = Tally::default();
                let body = json!({ "secret": secret }).to_string();
                let kinds = [
                    ("GET /api/v1/whoami", ""),
                    ("GET /api/v1/forward-auth/for/acme/orders:read/", ""),
                    ("POST /api/v1/verify", body.as_str()),
                ];
                for (request, body) in kinds.into_iter().cycle() {
                    if stopped.load(Ordering::Relaxed) {
                        break;
                    }
                    let headers = [
                        ("X-API-Key", secret.as_str()),
                        ("Content-Type", "application/json"),
                    ];
                    match ask(at, request, &headers, body) {
                        Some(response) if response.status == 200 => {
                            *tally.answered.entry(request).or_default() += 1;
                        }
                        other => {
                            let status = other.map(|response| response.status);
                            tally.failed.push(format!("{request}: {status:?}"));
                        }
                    }
                    thread::park_timeout(PAUSE);
                }
                tally
            })
        });
        Self {
            threads: threads.collect(),
            stopped,
        }
    }

    /// Ends the requests; returns their outcomes.
    fn stop(self) -> Tally {
        self.stopped.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for thread in self.threads {
            let tally = thread.join().unwrap();
            for (request, answered) in tally.answered {
                *all.answered.entry(request).or_default() += answered;
            }
            all.failed.extend(tally.failed);
        }
        all
    }
}
