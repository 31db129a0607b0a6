//! HTTP/1.1 clients that expose the bytes on the connection.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

/// The limit on a response, also on a busy machine.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// Connects to a server, which must accept.
pub(crate) fn connect(address: &str) -> TcpStream {
    try_connect(address).expect("the server accepts connections")
}

fn try_connect(address: &str) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(READ_TIMEOUT)).ok()?;
    Some(stream)
}

/// The whole response to a GET as text; each of `headers` ends with a line break.
pub(crate) fn get(address: &str, path: &str, headers: &str) -> String {
    let mut stream = connect(address);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n"
    )
    .expect("sent");
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("a response");
    String::from_utf8_lossy(&response).into_owned()
}

/// The value of a metric without labels.
pub(crate) fn metric(metrics_address: &str, name: &str) -> u64 {
    let metrics = get(metrics_address, "/metrics", "");
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no metric {name} in {metrics}"));
    value.trim().parse().expect("a number")
}

/// The text of a request on a connection that stays open; each of `headers` ends with a line break. A body is JSON.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    let framing = match (method, body.len()) {
        ("GET" | "HEAD", 0) => String::new(),
        (_, 0) => "content-length: 0\r\n".to_owned(),
        (_, length) => {
            format!("content-type: application/json\r\ncontent-length: {length}\r\n")
        }
    };
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}{framing}\r\n{body}")
}

/// The text of a request to the JSON API with a key; `path` without `/api/v1`.
pub(crate) fn api_request(secret: &str, method: &str, path: &str, body: &str) -> String {
    let headers = format!("x-api-key: {secret}\r\n");
    request(method, &format!("/api/v1{path}"), &headers, body)
}

/// Sends a request on a separate connection.
pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    Response::of(connect(address), request.as_bytes()).expect("a whole response")
}

/// A response on a connection that is closed after it.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The status line and the headers, as received.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Response {
    /// Sends the request and reads until the connection is closed; `None` if the response is incomplete.
    pub(crate) fn of(mut stream: TcpStream, request: &[u8]) -> Option<Self> {
        stream.write_all(request).ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        Self::parse(&bytes)
    }

    /// `None` for anything except a head, an empty line and a body.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some(Self {
            status: head.split(' ').nth(1)?.parse().ok()?,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .filter(move |(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The `name=value` of a cookie that the response sets.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        let mut cookies = self.headers("set-cookie");
        let cookie = cookies.find(|cookie| cookie.starts_with(&start))?;
        cookie.split(';').next().map(str::to_owned)
    }

    /// The body as JSON; null if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A connection that stays open.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: &str) -> Self {
        Self(BufReader::new(connect(address)))
    }

    /// `None` if the connection is refused.
    pub(crate) fn try_open(address: &str) -> Option<Self> {
        Some(Self(BufReader::new(try_connect(address)?)))
    }

    /// The status of a verification with this key on a route that requires `orders:read`.
    pub(crate) fn verify(&mut self, secret: &str) -> Option<u16> {
        let request = request(
            "GET",
            "/api/v1/forward-auth/for/acme/orders:read/",
            &format!("x-api-key: {secret}\r\n"),
            "",
        );
        self.send(&request).map(|(status, _)| status)
    }

    /// The status of `GET /api/v1/whoami` with this key.
    pub(crate) fn whoami(&mut self, secret: &str) -> Option<u16> {
        self.send(&api_request(secret, "GET", "/whoami", ""))
            .map(|(status, _)| status)
    }

    /// Sends a request; returns the status and the body. `None` if the connection ends.
    pub(crate) fn send(&mut self, request: &str) -> Option<(u16, String)> {
        self.write(request)?;
        self.read()
    }

    /// Sends a request without waiting for the response.
    pub(crate) fn write(&mut self, request: &str) -> Option<()> {
        self.0.get_mut().write_all(request.as_bytes()).ok()
    }

    /// Reads one response, whose head contains its length.
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

    /// The status of a request with `connection: close`, after the whole response has arrived in any transfer encoding.
    pub(crate) fn send_last(&mut self, request: &str) -> Option<u16> {
        self.write(request)?;
        let mut response = Vec::new();
        self.0.read_to_end(&mut response).ok()?;
        let line = String::from_utf8_lossy(response.get(..12)?).into_owned();
        line.strip_prefix("HTTP/1.1 ")?.parse().ok()
    }
}
