//! A server, a proxy and a service, each a process or thread of its own on a free port; and what has to hold for each proxy.
//!
//! The proxy comes to Latchkey from 127.0.0.1, which is trusted. Clients come to the proxy from other addresses of the loopback
//! network, so that one can be told from another.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{binary::Latchkey, upstream::Upstream};

/// Set by `cargo xtask test`: the programs are there, and one that is not is a failure.
const REQUIRED: &str = "TEST_PROGRAMS";
/// More than a loaded machine needs to start a program.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

const CLIENT: &str = "127.0.0.2";
const STRANGER: &str = "127.0.0.3";
/// What a client must not be able to say of itself.
const IDENTITY: [&str; 5] = [
    "x-tenant-id",
    "x-tenant-slug",
    "x-api-key-id",
    "x-api-key-name",
    "x-permissions",
];

/// A program that ends with this value.
pub(crate) struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything but the proxy.
pub(crate) struct World {
    folder: TempDir,
    latchkey: Latchkey,
    server: Option<Gateway>,
    /// Where Latchkey, the proxy and the service are, for the ports that the documents name.
    addresses: [(&'static str, String); 3],
    upstream: Upstream,
    tenant: Value,
    group: String,
}

impl World {
    fn start_all() -> Self {
        let latchkey = Latchkey::new().with("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1");
        let tenant = latchkey.answer(&["tenant", "create", "--name", "Acme", "--key-limit", "100"]);
        latchkey.answer(&["tenant", "create", "--name", "Globex"]);
        let longest: Vec<_> = (0..63)
            .map(|number| format!("orders:{}-{number:02}", "x".repeat(54)))
            .collect();
        let mut group = vec!["group", "create", "--tenant", "acme", "--name", "Orders"];
        group.extend(["--type", "tenant_api_key", "--permission", "orders:read"]);
        for permission in &longest {
            group.extend(["--permission", permission]);
        }
        let group = latchkey.answer(&group)["id"].as_str().unwrap().to_owned();
        for (tenant, name, permission) in [
            ("acme", "Invoices", "invoices:read"),
            ("globex", "Orders", "orders:read"),
        ] {
            let arguments = [
                "group",
                "create",
                "--tenant",
                tenant,
                "--name",
                name,
                "--type",
                "tenant_api_key",
                "--permission",
                permission,
            ];
            latchkey.answer(&arguments);
        }
        let (server, address) = serve(&latchkey);
        let upstream = Upstream::start();
        // Freed again for the proxy: between two lines of ours somebody may take it; the proxy then fails, and says so.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = free.local_addr().unwrap().to_string();
        let addresses = [
            (":3000", address),
            (":8080", proxy),
            (":9000", upstream.address.clone()),
        ];
        Self {
            folder: TempDir::new().unwrap(),
            latchkey,
            server: Some(server),
            addresses,
            upstream,
            tenant,
            group,
        }
    }

    /// A folder for the proxy's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a documented file into the folder, with the ports of here, and the folder for HAProxy's own.
    pub(crate) fn place(&self, documented: &Path) -> PathBuf {
        let mut text = fs::read_to_string(documented).unwrap();
        for (documented, here) in &self.addresses {
            let (_, port) = here.split_once(':').unwrap();
            text = text.replace(documented, &format!(":{port}"));
        }
        let folder = self.folder().display().to_string();
        text = text.replace("/etc/haproxy", &folder);
        let file = self.folder().join(documented.file_name().unwrap());
        fs::write(&file, text).unwrap();
        file
    }

    /// Starts the proxy and waits until it accepts connections; `None` where it is not installed and nobody insists.
    pub(crate) fn start(&self, program: &str, arguments: &[&OsStr]) -> Option<Gateway> {
        let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
            .map(|folder| Path::new(folder).join(program))
            .into_iter()
            .find(|path| path.is_file());
        let Some(path) = path else {
            #[expect(
                clippy::disallowed_methods,
                reason = "xtask says so by the environment"
            )]
            let required = std::env::var_os(REQUIRED).is_some();
            assert!(!required, "{program} is not installed");
            eprintln!("left out: {program} is not installed; `cargo xtask test` installs it");
            return None;
        };
        let child = Command::new(path)
            .args(arguments)
            .current_dir(self.folder())
            .env("HOME", self.folder())
            .env("XDG_DATA_HOME", self.folder())
            .env("XDG_CONFIG_HOME", self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut gateway = Gateway(child);
        let until = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(self.proxy()).is_err() {
            let ended = gateway.0.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "{program} did not start: {}",
                self.log()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Some(gateway)
    }

    fn proxy(&self) -> SocketAddr {
        self.addresses[1].1.parse().unwrap()
    }

    /// What the proxy wrote.
    fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// A new key of a tenant's group; its object with the secret.
    fn key(&self, tenant: &str, group: &str, name: &str, more: &[&str]) -> Value {
        let arguments = [
            "key", "create", "--tenant", tenant, "--group", group, "--name", name,
        ];
        self.latchkey.answer(&[&arguments, more].concat())
    }

    /// One request through the proxy from that address.
    fn ask(&self, from: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{request} HTTP/1.1\r\nHost: orders.example\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "Connection") {
            text.push_str("Connection: close\r\n");
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut stream = connect(from.parse().unwrap(), self.proxy());
        stream
            .write_all(format!("{text}\r\n{body}").as_bytes())
            .unwrap();
        Answer::read(stream)
    }

    fn with_key(&self, from: &str, secret: &str) -> Answer {
        self.ask(from, "GET /orders/7?x=1", &[("X-API-Key", secret)], "")
    }

    /// What the service saw of the one request that came.
    fn only_seen(&self) -> super::upstream::Seen {
        let mut seen = self.upstream.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    fn nothing_seen(&self, what: &str) {
        let seen = self.upstream.seen();
        assert!(seen.is_empty(), "{what} got through: {seen:#?}");
    }
}

/// Starts `latchkey serve`; where it listens.
fn serve(latchkey: &Latchkey) -> (Gateway, String) {
    let mut child = latchkey
        .command(&["serve"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let address = loop {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended early");
        if let Some((_, rest)) = line.split_once("ready on http://") {
            break rest.split(['"', '/']).next().unwrap().to_owned();
        }
    };
    // Somebody has to read on, or it would wait for its own log.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (Gateway(child), address)
}

/// A connection from a chosen address of this machine.
fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).unwrap();
    stream
}

/// What the proxy answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Reads to the end of the body, however the proxy marks it.
    fn read(mut stream: TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(':')?;
                    name.eq_ignore_ascii_case("content-length")
                        .then(|| value.trim().parse::<usize>().ok())?
                });
                let is_whole = match length {
                    Some(length) => body.len() >= length,
                    None => body.ends_with("0\r\n\r\n"),
                };
                if is_whole {
                    break;
                }
            }
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&bytes)),
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no answer: {text:?}")),
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }
}

/// What has to hold of every proxy.
pub(crate) fn check(start: fn(&World) -> Option<Gateway>) {
    let mut world = World::start_all();
    let Some(_gateway) = start(&world) else {
        return;
    };
    a_good_key_goes_on_with_its_identity(&world);
    who_is_refused_does_not_get_through(&world);
    an_address_counts_through_the_proxy(&world);
    what_a_client_forges_has_no_effect(&world);
    bodies_pass_and_are_waited_for_by_nobody(&world);
    revoking_holds_with_the_next_request(&world);
    without_latchkey_nobody_gets_through(&mut world);
}

fn a_good_key_goes_on_with_its_identity(world: &World) {
    // As long as names and permissions can be.
    let name = "💠".repeat(200);
    let key = world.key("acme", &world.group, &name, &[]);
    let secret = key["secret"].as_str().unwrap();
    let answer = world.with_key(CLIENT, secret);
    assert_eq!(answer.status, 200, "{answer:?} {}", world.log());
    assert!(answer.body.contains("the order"), "{answer:?}");
    let seen = world.only_seen();
    assert!(seen.line.starts_with("GET /orders/7?x=1 "), "{}", seen.line);
    assert_eq!(
        seen.all("x-tenant-id"),
        [world.tenant["id"].as_str().unwrap()]
    );
    assert_eq!(seen.all("x-tenant-slug"), ["acme"]);
    assert_eq!(seen.all("x-api-key-id"), [key["id"].as_str().unwrap()]);
    assert_eq!(seen.all("x-api-key-name"), ["%F0%9F%92%A0".repeat(200)]);
    let permissions = seen.all("x-permissions");
    assert_eq!(permissions.len(), 1);
    assert_eq!(permissions[0].split(',').count(), 64);
    assert!(permissions[0].split(',').any(|one| one == "orders:read"));
    // The service has no business with the secret.
    assert!(seen.all("x-api-key").is_empty());
    assert!(!format!("{seen:?}").contains(secret));
}

fn who_is_refused_does_not_get_through(world: &World) {
    let powerless = world.key("acme", "Invoices", "Invoices", &[]);
    let theirs = world.key("globex", "Orders", "Theirs", &[]);
    let good = world.key("acme", "Orders", "ERP", &[]);
    let good = good["secret"].as_str().unwrap();
    let cases: [(&[(&str, &str)], u16); 5] = [
        (&[], 401),
        (&[("X-API-Key", "lk_none")], 401),
        (&[("X-API-Key", good), ("X-API-Key", good)], 401),
        (&[("X-API-Key", powerless["secret"].as_str().unwrap())], 403),
        (&[("X-API-Key", theirs["secret"].as_str().unwrap())], 403),
    ];
    for (headers, status) in cases {
        let answer = world.ask(CLIENT, "GET /orders/7", headers, "");
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
        if status == 401 {
            assert!(
                answer
                    .head
                    .contains("www-authenticate: apikey realm=\"latchkey\""),
                "{answer:?}"
            );
        }
        world.nothing_seen("a refused request");
    }
}

fn an_address_counts_through_the_proxy(world: &World) {
    let key = world.key("acme", "Orders", "From one address", &["--allow", CLIENT]);
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(world.with_key(CLIENT, secret).status, 200);
    world.only_seen();
    assert_eq!(world.with_key(STRANGER, secret).status, 403);
    world.nothing_seen("a stranger");
}

fn what_a_client_forges_has_no_effect(world: &World) {
    let key = world.key("acme", "Orders", "Listed", &["--allow", CLIENT]);
    let secret = key["secret"].as_str().unwrap();
    let forged: [&[(&str, &str)]; 7] = [
        &[("X-Forwarded-For", CLIENT)],
        &[("X-Forwarded-For", CLIENT), ("X-Forwarded-For", CLIENT)],
        &[("X-Forwarded-For", "127.0.0.2, 127.0.0.2, 127.0.0.1")],
        &[
            ("X-Forwarded-For", CLIENT),
            ("Connection", "X-Forwarded-For"),
        ],
        &[("Connection", "close, X-Forwarded-For")],
        &[
            ("X-Real-Ip", CLIENT),
            ("Forwarded", "for=127.0.0.2"),
            ("Client-Ip", CLIENT),
        ],
        &[("X_Forwarded_For", CLIENT)],
    ];
    for headers in forged {
        let headers = [&[("X-API-Key", secret)], headers].concat();
        let stranger = world.ask(STRANGER, "GET /orders/7", &headers, "");
        assert_eq!(stranger.status, 403, "{headers:?} {stranger:?}");
        world.nothing_seen("a forged address");
        let client = headers
            .iter()
            .map(|(name, value)| (*name, value.replace(CLIENT, STRANGER)));
        let client: Vec<_> = client.collect();
        let client: Vec<_> = client
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = world.ask(CLIENT, "GET /orders/7", &client, "");
        assert_eq!(answer.status, 200, "{client:?} {answer:?}");
        world.only_seen();
    }
    let mut headers = vec![("X-API-Key", secret)];
    headers.extend(IDENTITY.map(|name| (name, "forged")));
    headers.extend(IDENTITY.map(|name| (name, "forged")));
    headers.extend([("X_Tenant_Id", "forged"), ("x_permissions", "forged")]);
    let answer = world.ask(CLIENT, "GET /orders/7", &headers, "");
    assert_eq!(answer.status, 200, "{answer:?}");
    let seen = world.only_seen();
    for name in IDENTITY {
        assert_eq!(seen.all(name).len(), 1, "{name}: {seen:#?}");
    }
    assert!(!format!("{seen:?}").contains("forged"), "{seen:#?}");
    // Hop-by-hop headers are a proxy's to drop: then there is no identity, and never another one.
    for name in IDENTITY {
        let connection = format!("close, {name}");
        let headers = [
            ("X-API-Key", secret),
            (name, "forged"),
            ("Connection", &connection),
        ];
        let answer = world.ask(CLIENT, "GET /orders/7", &headers, "");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(!format!("{:?}", world.only_seen()).contains("forged"));
    }
    for (forged, at) in [
        ("X-Tenant-Id: forged", "/orders"),
        ("x=1", "/x/..%2f?permission="),
    ] {
        let answer = world.ask(CLIENT, &format!("GET {at}"), &[("X-Note", forged)], "");
        assert_eq!(answer.status, 401, "{answer:?}");
        world.nothing_seen("a request without a key");
    }
}

fn bodies_pass_and_are_waited_for_by_nobody(world: &World) {
    let key = world.key("acme", "Orders", "Sender", &[]);
    let secret = key["secret"].as_str().unwrap();
    // More than Latchkey would read of a body.
    let body = "x".repeat(200_000);
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let headers = [
            ("X-API-Key", secret),
            ("Content-Encoding", "br"),
            ("Content-Type", "x/y"),
        ];
        let answer = world.ask(CLIENT, &format!("{method} /orders"), &headers, &body);
        assert_eq!(answer.status, 200, "{method} {answer:?}");
        let seen = world.only_seen();
        assert!(seen.line.starts_with(method), "{}", seen.line);
        assert_eq!(seen.body.len(), body.len());
    }
    let answer = world.ask(
        CLIENT,
        "POST /orders",
        &[("X-API-Key", "lk_none")],
        "an order",
    );
    assert_eq!(answer.status, 401, "{answer:?}");
    world.nothing_seen("a refused body");
}

fn revoking_holds_with_the_next_request(world: &World) {
    let key = world.key("acme", "Orders", "Soon revoked", &[]);
    let secret = key["secret"].as_str().unwrap();
    assert_eq!(world.with_key(CLIENT, secret).status, 200);
    world.only_seen();
    world
        .latchkey
        .answer(&["key", "revoke", key["id"].as_str().unwrap()]);
    let answer = world.with_key(CLIENT, secret);
    assert_eq!(answer.status, 401, "{answer:?}");
    world.nothing_seen("a revoked key");
}

fn without_latchkey_nobody_gets_through(world: &mut World) {
    let key = world.key("acme", "Orders", "Good", &[]);
    let secret = key["secret"].as_str().unwrap().to_owned();
    assert_eq!(world.with_key(CLIENT, &secret).status, 200);
    world.only_seen();
    drop(world.server.take());
    for headers in [&[][..], &[("X-API-Key", secret.as_str())]] {
        let answer = world.ask(CLIENT, "GET /orders/7", headers, "");
        assert!(answer.status >= 500, "{answer:?}");
        world.nothing_seen("a request without Latchkey");
    }
}
