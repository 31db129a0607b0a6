//! Proxies in front of Latchkey's pages and API.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    fixture::{CLIENT, connect},
    program::{self, Program},
    reverse_proxy::{Compression, ReverseProxy, lasting_port, local},
};
use crate::support::{
    binary::Latchkey,
    client::Response,
    server::Server,
    setup::{Key, text},
    wait::wait_until,
};

/// Sends a request on a new connection from [`CLIENT`]; `None` if the response is incomplete.
pub(super) fn ask(
    at: SocketAddr,
    request: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Option<Response> {
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
    let stream = connect(CLIENT.parse().unwrap(), at);
    Response::of(stream, format!("{text}\r\n{body}").as_bytes())
}

/// A server on SQLite behind a proxy.
struct ConsoleFixture {
    folder: TempDir,
    at: SocketAddr,
    latchkey: Latchkey,
    server: Server,
    secret: String,
    id: String,
}

/// Creates a tenant, a group with the permissions for all requests of the tests, and a key of the group.
pub(super) fn create_key(latchkey: &Latchkey) -> Key {
    latchkey.create_tenant("Acme", 10);
    let permissions = [
        "api-keys:read",
        "api-keys:write",
        "api-keys:verify",
        "orders:read",
    ];
    latchkey.create_group("acme", "All", &permissions);
    latchkey.create_key("acme", "All", "One")
}

impl ConsoleFixture {
    fn start(proxy: ReverseProxy, compression: Compression) -> Option<(Self, Program)> {
        let latchkey = Latchkey::new().with("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1");
        let secret = create_key(&latchkey).secret;
        // Caddy does not compress short responses.
        let description = ["--description", &"long ".repeat(150)];
        let other = latchkey.create_key_with("acme", "All", "Two", &description);
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
            id: text(&other, "id"),
        };
        // Until now the proxy may not have checked the health of the server.
        wait_until(|| console.with_key("GET /api/v1/whoami", &[], "").status == 200);
        Some((console, program))
    }

    fn with_key(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let key = [("X-API-Key", self.secret.as_str())];
        ask(self.at, request, &[&key, headers].concat(), body).expect("a response")
    }
}

/// Asserts that an entity tag that the proxy changed still identifies the version.
pub(crate) fn check_entity_tags(proxy: ReverseProxy) {
    let Some((console, _program)) = ConsoleFixture::start(proxy, Compression::On) else {
        return;
    };
    let path = format!("/api/v1/api-keys/{}", console.id);
    let gzip = [("Accept-Encoding", "gzip")];
    let read = console.with_key(&format!("GET {path}"), &gzip, "");
    assert_eq!(read.status, 200, "{read:?}");
    assert_eq!(read.header("content-encoding"), Some("gzip"), "{read:?}");
    let tag = read.header("etag").unwrap().to_owned();
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

/// Asserts that same-origin requests are recognised, also at an address with a port, and that the client address is that of the connection.
pub(crate) fn check_console(proxy: ReverseProxy) {
    let Some((console, _program)) = ConsoleFixture::start(proxy, Compression::Off) else {
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
        ask(console.at, "POST /sign-in", &headers, body).expect("a response")
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

/// Asserts that the proxy logs no secret while Latchkey accepts requests, refuses requests, and is stopped.
pub(crate) fn check_logs(proxy: ReverseProxy) {
    let Some((mut console, program)) = ConsoleFixture::start(proxy, Compression::Off) else {
        return;
    };
    let body = json!({ "secret": console.secret }).to_string();
    let json = [("Content-Type", "application/json")];
    assert_eq!(
        console.with_key("POST /api/v1/verify", &json, &body).status,
        200
    );
    assert_eq!(console.with_key("GET /api/v1/nothing", &[], "").status, 404);
    let mut invite = console.latchkey.command(&[
        "user",
        "invite",
        "--email",
        "sanne@acme.example",
        "--role",
        "member",
        "--tenant",
        "acme",
    ]);
    let invited = invite
        .env("LATCHKEY_PUBLIC_URL", "http://keys.example")
        .output();
    let link = String::from_utf8(invited.expect("a link").stdout).unwrap();
    let link = link.trim_end();
    let (_, token) = link.rsplit_once('/').expect("a token");
    let path = format!("GET /invitation/{token}");
    assert_eq!(console.with_key(&path, &[], "").status, 200);
    let sign_in_link = format!("GET /sign-in-link/{token}");
    assert_eq!(console.with_key(&sign_in_link, &[], "").status, 404);
    // The callback of single sign-on, which this server does not have; the proxy cannot know that.
    let (code, state) = ("c0de-of-the-provider", "5tate-of-the-browser");
    let callback = format!("GET /sign-in/sso/callback?code={code}&state={state}");
    assert_eq!(ask(console.at, &callback, &[], "").unwrap().status, 404);
    console.server.signal("TERM");
    assert_eq!(console.server.wait_for_exit(), Some(0));
    for request in ["GET /api/v1/whoami", "POST /api/v1/verify"] {
        let response = console.with_key(request, &json, &body);
        assert!(response.status >= 500, "{response:?}");
    }
    for request in [&path, &sign_in_link] {
        let response = console.with_key(request, &[], "");
        assert!(response.status >= 500, "{response:?}");
    }
    assert!(ask(console.at, &callback, &[], "").unwrap().status >= 500);
    program.stop();
    let log = program::logs(console.folder.path());
    assert!(
        log.contains("/api/v1/nothing"),
        "the access log is missing: {log}"
    );
    // The secret without its prefix
    for secret in [&console.secret[3..], token, code, state] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
    drop(console.latchkey);
}
