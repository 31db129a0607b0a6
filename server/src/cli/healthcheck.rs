//! `latchkey healthcheck`: the health check of a container without a shell.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::body::Body;
use clap::Args;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{config::Config, failure::Failure};

/// The limit on the whole check. Docker's own default is 30 s.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct HealthcheckArguments {
    /// Ask whether the database answers (/readyz) instead of whether the process is up (/healthz)
    #[arg(long)]
    ready: bool,
}

impl HealthcheckArguments {
    /// Succeeds if the server on this machine that has the same settings responds with 200.
    pub(super) async fn run(&self, config: &Config) -> Result<(), Failure> {
        let path = if self.ready { "/readyz" } else { "/healthz" };
        let address = reachable(config.listen);
        let failed = |problem: &str| Failure::new(format!("http://{address}{path}: {problem}"));
        match timeout(TIMEOUT, status(address, path)).await {
            Err(_) => Err(failed(&format!(
                "no response within {} s",
                TIMEOUT.as_secs()
            ))),
            Ok(Err(error)) => Err(failed(&error.to_string())),
            Ok(Ok(200)) => Ok(()),
            Ok(Ok(status)) => Err(failed(&format!("status {status}"))),
        }
    }
}

/// The loopback address in place of an unspecified one.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

async fn status(address: SocketAddr, path: &str) -> Result<u16, AnyError> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get(path)
        .header(http::header::HOST, address.to_string())
        .body(Body::empty())?;
    // On a task of its own: a server that drains closes the connection together with its response.
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    connection.abort();
    Ok(response?.status().as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_reached_at_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:3000", "127.0.0.1:3000"),
            ("[::]:3000", "[::1]:3000"),
            ("192.0.2.7:3000", "192.0.2.7:3000"),
        ] {
            let listen = listen.parse().expect("an address");
            assert_eq!(reachable(listen).to_string(), expected);
        }
    }
}
