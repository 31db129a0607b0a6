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
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    program::{self, Program},
    upstream::Upstream,
};
use crate::support::binary::Latchkey;

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

/// Everything but the proxy.
pub(crate) struct World {
    folder: TempDir,
    latchkey: Latchkey,
    server: Option<Program>,
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
            // Envoy's way to write it.
            text = text.replace(
                &format!("port_value{documented} ").replace(':', ": "),
                &format!("port_value: {port} "),
            );
        }
        if documented.ends_with("Caddyfile") {
            // Its address for administration is one for the whole machine.
            text = text.replacen("{\n", "{\n\tadmin off\n", 1);
        }
        let folder = self.folder().display().to_string();
        text = text.replace("/etc/haproxy", &folder);
        let file = self.folder().join(documented.file_name().unwrap());
        fs::write(&file, text).unwrap();
        file
    }

    /// [`Self::place`], with parts of the documentation put before these lines of the file.
    pub(crate) fn place_with(&self, documented: &Path, inserts: &[(&str, String)]) -> PathBuf {
        let file = self.place(documented);
        let mut text = fs::read_to_string(&file).unwrap();
        for (line, insert) in inserts {
            assert_eq!(text.matches(line).count(), 1, "{line:?} in {text}");
            text = text.replace(line, &format!("{insert}\n{line}"));
        }
        fs::write(&file, text).unwrap();
        file
    }

    /// Starts the proxy and waits until it accepts connections; `None` where it is not installed and nobody insists.
    pub(crate) fn start(&self, name: &str, arguments: &[&OsStr]) -> Option<Program> {
        program::start(self.folder(), self.proxy(), name, arguments, &[])
    }

    fn proxy(&self) -> SocketAddr {
        self.addresses[1].1.parse().unwrap()
    }

    /// What the proxy wrote.
    fn log(&self) -> String {
        program::logs(self.folder())
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

/// What a proxy writes while it lets through, refuses, finds the service gone and finds Latchkey gone.
pub(crate) fn check_logs(start: fn(&World) -> Option<Program>) {
    let mut world = World::start_all();
    let Some(gateway) = start(&world) else {
        return;
    };
    let key = world.key("acme", "Orders", "Logged", &[]);
    let powerless = world.key("acme", "Invoices", "Refused", &[]);
    let secret = key["secret"].as_str().unwrap().to_owned();
    let refused = powerless["secret"].as_str().unwrap().to_owned();
    let ask = |world: &World| {
        let mut statuses = Vec::new();
        for request in ["GET /orders/7", "POST /orders"] {
            for secret in [&secret, &refused] {
                let answer = world.ask(CLIENT, request, &[("X-API-Key", secret)], "x");
                statuses.push(answer.status);
            }
            // A field line that makes a proxy complain of the request itself.
            let bad = [("X-API-Key", secret.as_str()), ("X-Bad\u{1}", "y")];
            world.ask(CLIENT, request, &bad, "x");
        }
        statuses
    };
    assert_eq!(ask(&world), [200, 403, 200, 403], "{}", world.log());
    world.upstream.stop();
    for status in ask(&world) {
        assert!(status == 403 || status >= 500, "{status}");
    }
    drop(world.server.take());
    for status in ask(&world) {
        assert!(status >= 500, "{status}");
    }
    gateway.stop();
    let log = world.log();
    assert!(log.contains("/orders/7"), "there is an access log: {log}");
    for secret in [secret, refused] {
        // The part that has to be guessed.
        let line = log.lines().find(|line| line.contains(&secret[3..]));
        assert_eq!(line, None);
    }
}

/// What a browser asks before it sends a key, and keys that come as bearer tokens.
pub(crate) fn check_recipes(start: fn(&World) -> Option<Program>) {
    let world = World::start_all();
    let Some(_gateway) = start(&world) else {
        return;
    };
    let preflight = |origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-api-key"),
        ];
        world.ask(CLIENT, "OPTIONS /orders", &headers, "")
    };
    let answer = preflight("https://app.example");
    assert_eq!(answer.status, 204, "{answer:?} {}", world.log());
    for line in [
        "access-control-allow-origin: https://app.example",
        "access-control-allow-headers: x-api-key, content-type",
    ] {
        assert!(answer.head.contains(line), "{line}: {answer:?}");
    }
    assert_eq!(preflight("https://evil.example").status, 401);
    world.nothing_seen("a preflight request");

    let key = world.key("acme", "Orders", "Bearer", &[]);
    let secret = key["secret"].as_str().unwrap();
    let bearer = format!("Bearer {secret}");
    let none = "Bearer lk_none";
    for (headers, status) in [
        (&[("Authorization", bearer.as_str())][..], 200),
        (&[("Authorization", none)], 401),
        (&[("X-API-Key", secret), ("Authorization", none)], 200),
        (&[("X-API-Key", "lk_none"), ("Authorization", &bearer)], 401),
        (&[("Authorization", "Basic bGs6eA==")], 401),
    ] {
        let answer = world.ask(CLIENT, "GET /orders/7", headers, "");
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
        if status == 200 {
            assert!(!format!("{:?}", world.only_seen()).contains(secret));
        } else {
            world.nothing_seen("a refused request");
        }
    }
}

/// Every spelling of an identity header: each separator as any of three characters, in several letter cases.
fn spellings(name: &str) -> Vec<String> {
    let words: Vec<_> = name.split('-').collect();
    let mut spelled = vec![words[0].to_owned()];
    for word in &words[1..] {
        spelled = (spelled.iter())
            .flat_map(|start| ['-', '_', '.'].map(|separator| format!("{start}{separator}{word}")))
            .collect();
    }
    let alternating = |text: &str, first: usize| -> String {
        let letters = text.chars().enumerate().map(|(at, letter)| {
            if at % 2 == first {
                letter.to_ascii_uppercase()
            } else {
                letter
            }
        });
        letters.collect()
    };
    let cases = |text: String| {
        [
            text.to_uppercase(),
            alternating(&text, 0),
            alternating(&text, 1),
            text,
        ]
    };
    spelled.into_iter().flat_map(cases).collect()
}

/// A service that reads headers by CGI's rule (RFC 3875, section 4.1.18), as Python's reference server does.
const SERVICE: &str = r#"
import json, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass

def service(environ, start_response):
    body = json.dumps({name: value for name, value in environ.items() if name.startswith("HTTP_")}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

make_server("127.0.0.1", int(sys.argv[1]), service, handler_class=Quiet).serve_forever()
"#;

/// What a client says of its identity, in whatever spelling, does not reach the service.
pub(crate) fn check_identity_headers(start: fn(&World) -> Option<Program>) {
    /// As many as every proxy takes beside its own.
    const AT_ONCE: usize = 40;
    let mut world = World::start_all();
    let key = world.key("acme", "Invoices", "Spelled", &[]);
    world.latchkey.answer(&[
        "group",
        "set-permissions",
        "--tenant",
        "acme",
        "--group",
        "Invoices",
        "--permission",
        "orders:read",
    ]);
    let secret = key["secret"].as_str().unwrap().to_owned();
    let own: [(&str, String); 5] = [
        (
            "x-tenant-id",
            world.tenant["id"].as_str().unwrap().to_owned(),
        ),
        ("x-tenant-slug", "acme".to_owned()),
        ("x-api-key-id", key["id"].as_str().unwrap().to_owned()),
        ("x-api-key-name", "Spelled".to_owned()),
        ("x-permissions", "orders:read".to_owned()),
    ];
    let spelled: Vec<_> = own.iter().flat_map(|(name, _)| spellings(name)).collect();
    assert_eq!(spelled.len(), (9 + 9 + 27 + 27 + 3) * 4);

    // As the service's own reader would have it, where it takes every other character for _.
    let Some(gateway) = start(&world) else {
        return;
    };
    let as_cgi = |name: &str| -> String {
        let letters = name.chars().map(|letter| match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' => letter.to_ascii_uppercase(),
            _ => '_',
        });
        letters.collect()
    };
    for batch in spelled.chunks(AT_ONCE) {
        let mut headers = vec![("X-API-Key", secret.as_str())];
        headers.extend(batch.iter().map(|name| (name.as_str(), "forged")));
        let answer = world.ask(CLIENT, "GET /orders/7", &headers, "");
        // A proxy may refuse such a request altogether.
        if answer.status == 400 {
            world.nothing_seen("a malformed request");
            continue;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = world.only_seen();
        for (name, value) in &own {
            let read: Vec<_> = (seen.headers.iter())
                .filter(|(seen, _)| as_cgi(seen) == as_cgi(name))
                .map(|(_, value)| value)
                .collect();
            assert_eq!(read, [value], "{name} of {:#?}", seen.headers);
        }
        assert!(!format!("{seen:?}").contains("forged"), "{seen:#?}");
    }
    gateway.stop();

    // And a real one.
    let Some(python) = program::find("python3") else {
        return;
    };
    let script = world.folder().join("service.py");
    fs::write(&script, SERVICE).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let service = program::start(
        world.folder(),
        port,
        &python.file_name().unwrap().to_string_lossy(),
        &[script.as_ref(), port.port().to_string().as_ref()],
        &[],
    );
    let _service = service.expect("python3 was found above");
    world.addresses[2].1 = port.to_string();
    let Some(_gateway) = start(&world) else {
        return;
    };
    for batch in spelled.chunks(AT_ONCE) {
        let mut headers = vec![("X-API-Key", secret.as_str())];
        headers.extend(batch.iter().map(|name| (name.as_str(), "forged")));
        let answer = world.ask(CLIENT, "GET /orders/7", &headers, "");
        if answer.status == 400 {
            continue;
        }
        let body = answer.body.lines().find(|line| line.starts_with('{'));
        let read: Value = serde_json::from_str(body.unwrap_or(&answer.body)).unwrap();
        for (name, value) in &own {
            assert_eq!(
                &read[format!("HTTP_{}", as_cgi(name))],
                value,
                "{name}: {read:#}"
            );
        }
        assert!(!answer.body.contains("forged"), "{read:#}");
    }
}

/// Starts `latchkey serve`; where it listens.
fn serve(latchkey: &Latchkey) -> (Program, String) {
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
    (Program::of(child), address)
}

/// A connection from a chosen address of this machine.
pub(crate) fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
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
pub(crate) fn check(start: fn(&World) -> Option<Program>) {
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
        // Envoy refuses some names in `Connection` altogether.
        let is_malformed = stranger.status == 400;
        assert!(
            is_malformed || stranger.status == 403,
            "{headers:?} {stranger:?}"
        );
        world.nothing_seen("a forged address");
        if is_malformed {
            continue;
        }
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
        if answer.status == 400 {
            world.nothing_seen("a malformed request");
            continue;
        }
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
