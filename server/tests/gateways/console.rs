//! Proxies before Latchkey's own pages and API: the files of `docs/deploy`, of which addresses and certificates alone are others.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    program::{self, Program},
    world::connect,
};
use crate::support::{
    binary::Latchkey,
    postgres::Postgres,
    server::{Server, get},
    until::until,
};

const CLIENT: &str = "127.0.0.2";

/// A proxy, by its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
}

/// Whether the proxy compresses what it passes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Off,
    On,
}

/// The documented file, with these parts put in place of others.
fn documented(name: &str, replaced: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs/deploy")
        .join(name);
    let mut text = fs::read_to_string(path).unwrap();
    for (documented, here) in replaced {
        assert!(text.contains(documented), "{name} has no {documented:?}");
        text = text.replace(documented, here);
    }
    text
}

impl Proxy {
    /// Starts it before these servers; `None` where it is not installed and nobody insists.
    fn start(
        self,
        folder: &Path,
        at: SocketAddr,
        servers: &[String],
        compression: Compression,
    ) -> Option<Program> {
        let first = servers[0].clone();
        let is_compressed = compression == Compression::On;
        let place = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        match self {
            Self::Nginx => {
                let mut replaced = vec![
                    ("listen 443 ssl;", format!("listen {at};")),
                    ("ssl_certificate ", "# ssl_certificate ".to_owned()),
                    ("ssl_certificate_key ", "# ssl_certificate_key ".to_owned()),
                    ("127.0.0.1:3000", first),
                ];
                if let Some(second) = servers.get(1) {
                    replaced.push(("# server 127.0.0.1:3001", format!("server {second}")));
                }
                let site = place("latchkey.conf", documented("nginx.conf", &replaced));
                let more = if is_compressed {
                    "gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;"
                } else {
                    ""
                };
                let main = program::nginx_main(folder, &site, more);
                let arguments = ["-c".as_ref(), main.as_ref(), "-p".as_ref(), folder.as_ref()];
                program::start(folder, at, "nginx", &arguments, &[])
            }
            Self::Caddy => {
                let mut text = documented("Caddyfile", &[]);
                text = text.replacen("{\n", "{\n\tadmin off\n", 1);
                let more = if is_compressed {
                    "\tbind 127.0.0.1\n\tencode gzip\n\n\treverse_proxy"
                } else {
                    "\tbind 127.0.0.1\n\n\treverse_proxy"
                };
                text = text.replacen("\treverse_proxy", more, 1);
                let file = place("Caddyfile", text);
                let arguments = [
                    "run".as_ref(),
                    "--adapter".as_ref(),
                    "caddyfile".as_ref(),
                    "--config".as_ref(),
                    file.as_ref(),
                ];
                let environment = [
                    ("LATCHKEY_SITE", format!("http://:{}", at.port())),
                    ("LATCHKEY_UPSTREAMS", servers.join(" ")),
                ];
                program::start(folder, at, "caddy", &arguments, &environment)
            }
            Self::Haproxy => {
                let mut replaced = vec![
                    (
                        "bind :443 ssl crt /etc/haproxy/keys.example.pem",
                        format!("bind {at}"),
                    ),
                    ("127.0.0.1:3000", first),
                ];
                if let Some(second) = servers.get(1) {
                    replaced.push((
                        "# server latchkey-2 127.0.0.1:3001",
                        format!("server latchkey-2 {second}"),
                    ));
                }
                let file = place("haproxy.cfg", documented("haproxy.cfg", &replaced));
                program::start(folder, at, "haproxy", &["-f".as_ref(), file.as_ref()], &[])
            }
            Self::Apache => {
                let site = documented(
                    "apache.conf",
                    &[
                        ("<VirtualHost *:443>", format!("<VirtualHost {at}>")),
                        ("SSL", "# SSL".to_owned()),
                        ("127.0.0.1:3000", first),
                    ],
                );
                let modules = [
                    "mpm_event",
                    "authz_core",
                    "headers",
                    "proxy",
                    "proxy_http",
                    "filter",
                    "deflate",
                ];
                let modules: String = modules
                    .map(|name| {
                        format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")
                    })
                    .concat();
                let more = if is_compressed {
                    "AddOutputFilterByType DEFLATE application/json\n"
                } else {
                    ""
                };
                let folder_name = folder.display();
                let file = place(
                    "apache.conf",
                    format!(
                        "ServerRoot {folder_name}\nServerName localhost\nPidFile {folder_name}/pid\n\
                         DefaultRuntimeDir {folder_name}\nListen {at}\n{modules}User www-data\nGroup www-data\n\
                         ErrorLog {folder_name}/error.log\nLogLevel info\n\
                         LogFormat \"%h %l %u %t \\\"%r\\\" %>s %O \\\"%{{Referer}}i\\\" \\\"%{{User-Agent}}i\\\"\" combined\n\
                         CustomLog {folder_name}/access.log combined\n{more}{site}"
                    ),
                );
                let arguments = [
                    "-D".as_ref(),
                    "FOREGROUND".as_ref(),
                    "-f".as_ref(),
                    file.as_ref(),
                ];
                program::start(folder, at, "apache2", &arguments, &[])
            }
        }
    }
}

/// A port that no outgoing connection is given meanwhile: a server that is restarted needs it again.
fn lasting_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 11_000).unwrap();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + (start + step * 7) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A request on a connection of its own; `None` where there is no whole answer.
fn ask(at: SocketAddr, request: &str, headers: &[(&str, &str)], body: &str) -> Option<Answer> {
    let mut text = format!("{request} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text.push_str("Host: keys.example\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    let mut stream = connect(CLIENT.parse().unwrap(), at);
    stream
        .write_all(format!("{text}\r\n{body}").as_bytes())
        .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    })
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

/// One server on SQLite behind a proxy.
struct Console {
    folder: TempDir,
    at: SocketAddr,
    latchkey: Latchkey,
    server: Server,
    secret: String,
    id: String,
}

/// A tenant with a group that may do what the tests do; the id and the secret of a key.
fn stock(latchkey: &Latchkey) -> (String, String) {
    latchkey.answer(&["tenant", "create", "--name", "Acme"]);
    let mut group = vec!["group", "create", "--tenant", "acme", "--name", "All"];
    group.extend(["--type", "tenant_api_key"]);
    for permission in [
        "api-keys:read",
        "api-keys:write",
        "api-keys:verify",
        "orders:read",
    ] {
        group.extend(["--permission", permission]);
    }
    latchkey.answer(&group);
    let key = latchkey.answer(&[
        "key", "create", "--tenant", "acme", "--name", "One", "--group", "All",
    ]);
    let of = |name: &str| key[name].as_str().unwrap().to_owned();
    (of("id"), of("secret"))
}

impl Console {
    fn start(proxy: Proxy, compression: Compression) -> Option<(Self, Program)> {
        let latchkey = Latchkey::new().with("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1");
        let (_, secret) = stock(&latchkey);
        let other = latchkey.answer(&[
            "key",
            "create",
            "--tenant",
            "acme",
            "--name",
            "Two",
            "--group",
            "All",
            "--description",
            // Caddy leaves short answers as they are.
            &"long ".repeat(150),
        ]);
        let server = Server::start(&latchkey, &[]);
        let folder = TempDir::new().unwrap();
        let at = local(lasting_port());
        let servers = [server.address.clone()];
        let program = proxy.start(folder.path(), at, &servers, compression)?;
        let console = Self {
            folder,
            at,
            latchkey,
            server,
            secret,
            id: other["id"].as_str().unwrap().to_owned(),
        };
        // It may have asked the server for its state only now.
        until(|| console.with_key("GET /api/v1/whoami", &[], "").status == 200);
        Some((console, program))
    }

    fn with_key(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let key = [("X-API-Key", self.secret.as_str())];
        ask(self.at, request, &[&key, headers].concat(), body).expect("an answer")
    }
}

/// A tag that was changed on the way names the version all the same.
pub(crate) fn check_entity_tags(proxy: Proxy) {
    let Some((console, _program)) = Console::start(proxy, Compression::On) else {
        return;
    };
    let path = format!("/api/v1/api-keys/{}", console.id);
    let gzip = [("Accept-Encoding", "gzip")];
    let read = console.with_key(&format!("GET {path}"), &gzip, "");
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(read.headers["content-encoding"], "gzip", "{read:?}");
    let tag = read.headers["etag"].clone();
    eprintln!("{proxy:?} makes {tag} of \"1\"");
    let edit = |description: &str| {
        let body = json!({ "description": description.repeat(150) }).to_string();
        let headers = [
            ("If-Match", tag.as_str()),
            ("Content-Type", "application/json"),
            ("Accept-Encoding", "gzip"),
        ];
        console.with_key(&format!("PATCH {path}"), &headers, &body)
    };
    assert_eq!(edit("first ").status, 200, "with {tag}");
    assert_eq!(edit("second ").status, 412, "with {tag}");
}

/// What a browser sends from our own page arrives as such, also where the address has a port; and the client is who is connected.
pub(crate) fn check_console(proxy: Proxy) {
    let Some((console, _program)) = Console::start(proxy, Compression::Off) else {
        return;
    };
    let host = format!("keys.lan:{}", console.at.port());
    let sign_in = |origin: &str| {
        let headers = [
            ("Host", host.as_str()),
            ("Origin", origin),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        let body = "email=a%40b.example&password=x";
        ask(console.at, "POST /sign-in", &headers, body).expect("an answer")
    };
    let own = sign_in(&format!("http://{host}"));
    assert_eq!(own.status, 422, "{own:?}");
    assert_eq!(sign_in("http://evil.example").status, 403);
    let forged = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9"),
    ];
    let whoami = console.with_key("GET /api/v1/whoami", &forged, "");
    let whoami: Value = serde_json::from_str(&whoami.body).unwrap();
    assert_eq!(whoami["client_ip"], CLIENT);
}

/// What a proxy writes while Latchkey answers, refuses and is gone.
pub(crate) fn check_logs(proxy: Proxy) {
    let Some((mut console, program)) = Console::start(proxy, Compression::Off) else {
        return;
    };
    let body = json!({ "secret": console.secret }).to_string();
    let json = [("Content-Type", "application/json")];
    assert_eq!(
        console.with_key("POST /api/v1/verify", &json, &body).status,
        200
    );
    assert_eq!(console.with_key("GET /api/v1/nothing", &[], "").status, 404);
    console.server.signal("TERM");
    assert_eq!(console.server.ended(), Some(0));
    for request in ["GET /api/v1/whoami", "POST /api/v1/verify"] {
        let answer = console.with_key(request, &json, &body);
        assert!(answer.status >= 500, "{answer:?}");
    }
    program.stop();
    let log = program::logs(console.folder.path());
    assert!(
        log.contains("/api/v1/nothing"),
        "there is an access log: {log}"
    );
    // The part that has to be guessed.
    let line = log.lines().find(|line| line.contains(&console.secret[3..]));
    assert_eq!(line, None);
    drop(console.latchkey);
}

/// Two replicas that are restarted one after the other, while requests go on.
pub(crate) fn check_rolling_restart(proxy: Proxy) {
    let Some(database) = Postgres::fresh() else {
        return;
    };
    let (_, secret) = stock(&Latchkey::new().with("DATABASE_URL", &database.url()));
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
    let load = Load::start(at, &secret);
    until(|| replicas.iter().all(|(server, _)| is_asked(server)));
    for (server, latchkey) in &mut replicas {
        server.signal("TERM");
        server.wait_for_line("draining");
        assert!(server.get("/readyz", "").starts_with("HTTP/1.1 503"));
        assert_eq!(server.ended(), Some(0));
        *server = Server::start(latchkey, &[]);
        until(|| is_asked(server));
    }
    let tally = load.stop();
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

/// Whether a server has judged a key since it was started: the proxy sends requests to it.
fn is_asked(server: &Server) -> bool {
    let metrics = get(server.metrics.as_ref().unwrap(), "/metrics", "");
    let reads = metrics
        .lines()
        .find_map(|line| line.strip_prefix("latchkey_database_reads_total "));
    reads.is_some_and(|reads| reads != "0")
}

/// Requests at an even rate, a third of each kind.
struct Load {
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

/// How they ended.
#[derive(Default)]
struct Tally {
    answered: BTreeMap<&'static str, u64>,
    failed: Vec<String>,
}

/// Between two requests of a thread.
const PAUSE: Duration = Duration::from_millis(100);

impl Load {
    /// 60 a second; 200 where `TEST_ROUNDS` asks for more than the suite does.
    fn start(at: SocketAddr, secret: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a setting of the long form")]
        let threads = if std::env::var_os("TEST_ROUNDS").is_some() {
            20
        } else {
            6
        };
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
                        Some(answer) if answer.status == 200 => {
                            *tally.answered.entry(request).or_default() += 1;
                        }
                        other => {
                            let status = other.map(|answer| answer.status);
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
