//! Latchkey, a service and a client around the tested proxy.

use std::{
    ffi::OsStr,
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    program::{self, Program},
    upstream::{Seen, Upstream},
};
use crate::support::{binary::Latchkey, client::Response, server::Server, wait::PATIENCE};

/// The address of a client.
pub(super) const CLIENT: &str = "127.0.0.2";
/// The address of a client that no allowlist contains.
pub(super) const STRANGER: &str = "127.0.0.3";

/// Latchkey and a service, for a proxy that is started between them.
///
/// The proxy connects from 127.0.0.1, which Latchkey trusts. Clients connect to the proxy from other loopback addresses.
pub(crate) struct GatewayFixture {
    folder: TempDir,
    pub(super) latchkey: Latchkey,
    pub(super) server: Option<Server>,
    /// The addresses of Latchkey, the proxy and the service, by their ports in the documents.
    pub(super) addresses: [(&'static str, String); 3],
    pub(super) upstream: Upstream,
    /// The JSON of the tenant `acme`.
    pub(super) tenant: Value,
    /// A group with the maximum number of permissions of maximum length.
    pub(super) group: String,
}

impl GatewayFixture {
    /// Starts Latchkey and the service.
    pub(super) fn start() -> Self {
        let latchkey = Latchkey::new().with("LATCHKEY_TRUSTED_PROXIES", "127.0.0.1");
        let tenant = latchkey.create_tenant("Acme", 100);
        latchkey.create_tenant("Globex", 10);
        let longest: Vec<_> = (0..63)
            .map(|number| format!("orders:{}-{number:02}", "x".repeat(54)))
            .collect();
        let mut permissions = vec!["orders:read"];
        permissions.extend(longest.iter().map(String::as_str));
        let group = latchkey.create_group("acme", "Orders", &permissions);
        latchkey.create_group("acme", "Invoices", &["invoices:read"]);
        latchkey.create_group("globex", "Orders", &["orders:read"]);
        let server = Server::start(&latchkey, &[]);
        let upstream = Upstream::start();
        // The port is free for the proxy now. If another process takes it in between, the proxy does not start and the test fails.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = free.local_addr().unwrap().to_string();
        let addresses = [
            (":3000", server.address.clone()),
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

    /// The folder for the files of the proxy.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a documented file into the folder and replaces its ports, and the folder of HAProxy.
    pub(super) fn place(&self, documented: &Path) -> PathBuf {
        let mut text = fs::read_to_string(documented).unwrap();
        for (documented, here) in &self.addresses {
            let (_, port) = here.split_once(':').unwrap();
            text = text.replace(documented, &format!(":{port}"));
            // Envoy's syntax.
            text = text.replace(
                &format!("port_value{documented} ").replace(':', ": "),
                &format!("port_value: {port} "),
            );
        }
        if documented.ends_with("Caddyfile") {
            // The default address of its administration interface is the same for every instance.
            text = text.replacen("{\n", "{\n\tadmin off\n", 1);
        }
        let folder = self.folder().display().to_string();
        text = text.replace("/etc/haproxy", &folder);
        let file = self.folder().join(documented.file_name().unwrap());
        fs::write(&file, text).unwrap();
        file
    }

    /// [`Self::place`], with parts of the documentation inserted before the given lines.
    pub(super) fn place_with(&self, documented: &Path, inserts: &[(&str, String)]) -> PathBuf {
        let file = self.place(documented);
        let mut text = fs::read_to_string(&file).unwrap();
        for (line, insert) in inserts {
            assert_eq!(text.matches(line).count(), 1, "{line:?} in {text}");
            text = text.replace(line, &format!("{insert}\n{line}"));
        }
        fs::write(&file, text).unwrap();
        file
    }

    /// Starts the proxy and waits until it accepts connections; `None` if it is not installed, which is reported.
    pub(super) fn start_proxy(&self, name: &str, arguments: &[&OsStr]) -> Option<Program> {
        program::start(self.folder(), self.proxy(), name, arguments, &[])
    }

    /// The address of the proxy.
    pub(super) fn proxy(&self) -> SocketAddr {
        self.addresses[1].1.parse().unwrap()
    }

    /// Everything that the proxy has written.
    pub(super) fn log(&self) -> String {
        program::logs(self.folder())
    }

    /// Creates a key; returns its JSON with the secret.
    pub(super) fn key(&self, tenant: &str, group: &str, name: &str, more: &[&str]) -> Value {
        self.latchkey.create_key_with(tenant, group, name, more)
    }

    /// Sends a request through the proxy from the address `from`.
    pub(super) fn ask(
        &self,
        from: &str,
        request: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
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
        read_response(stream)
    }

    /// Sends a request with a key.
    pub(super) fn with_key(&self, from: &str, secret: &str) -> Response {
        self.ask(from, "GET /orders/7?x=1", &[("X-API-Key", secret)], "")
    }

    /// The only request that the service has received since the last call.
    pub(super) fn only_seen(&self) -> Seen {
        let mut seen = self.upstream.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen.remove(0)
    }

    /// Asserts that the service has received no request since the last call.
    pub(super) fn nothing_seen(&self, what: &str) {
        let seen = self.upstream.seen();
        assert!(seen.is_empty(), "{what} reached the service: {seen:#?}");
    }
}

/// Connects from a chosen loopback address.
pub(super) fn connect(from: IpAddr, to: SocketAddr) -> TcpStream {
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
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads a response to the end of its body, whether the proxy sends a length, sends chunks or closes the connection. The head is returned
/// in lower case.
fn read_response(mut stream: TcpStream) -> Response {
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
    let mut response = Response::parse(&bytes)
        .unwrap_or_else(|| panic!("no response: {}", String::from_utf8_lossy(&bytes)));
    response.head = response.head.to_lowercase();
    response
}
