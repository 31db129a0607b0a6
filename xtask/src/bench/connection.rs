//! A keep-alive connection of HTTP/1.1.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use httparse::{EMPTY_HEADER, Response, Status};

/// The read timeout; longer than any response takes.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            stream,
            address,
            request: Vec::new(),
            response: Vec::new(),
        })
    }

    /// Sends `GET path` with this key, reads the whole response and returns its status.
    pub(crate) fn get(&mut self, path: &str, key: &str) -> Result<u16> {
        self.request.clear();
        write!(
            self.request,
            "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: */*\r\nx-api-key: {key}\r\n\r\n",
            self.address
        )?;
        self.stream.write_all(&self.request)?;
        self.response.clear();
        let mut chunk = [0; 4096];
        loop {
            let count = self.stream.read(&mut chunk)?;
            ensure!(count > 0, "the server closed the connection");
            self.response.extend_from_slice(&chunk[..count]);
            let Some((status, head, body)) = read_head(&self.response)? else {
                continue;
            };
            match self.response.len() {
                length if length < head + body => {}
                length if length == head + body => return Ok(status),
                _ => bail!("the server sent more than one response"),
            }
        }
    }
}

/// Sends one request, which must contain `connection: close`, and returns the status and the whole response.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let status = response.get(9..12).and_then(|status| status.parse().ok());
    Ok((status.context("the response is not HTTP")?, response))
}

/// The status, the bytes of the head and the bytes of the body; `None` while the head is incomplete.
fn read_head(response: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let mut headers = [EMPTY_HEADER; 32];
    let mut parsed = Response::new(&mut headers);
    let Status::Complete(head) = parsed.parse(response)? else {
        return Ok(None);
    };
    let mut headers = parsed.headers.iter();
    let body = headers
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| str::from_utf8(header.value).ok()?.parse().ok())
        .context("a response without content-length")?;
    Ok(Some((parsed.code.context("no status")?, head, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_status_and_lengths_once_it_is_complete() {
        let response = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\nhel";
        let head = read_head(response).expect("HTTP");
        assert_eq!(head, Some((401, response.len() - 3, 5)));
        assert_eq!(read_head(&response[..40]).expect("a part"), None);
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
