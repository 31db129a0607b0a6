//! The client address of a request, determined once and stored in the request's extensions; and its browser.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use domain::{
    client_address::{ClientAddress, client_address},
    user_agent::Browser,
};
use http::{Extensions, HeaderMap, header::USER_AGENT};

use crate::config::Config;

/// Stores the [`ClientAddress`] in the request's extensions, from which allowlist, audit, throttles and log lines take it.
pub(crate) fn remember_client(config: &Config, request: &mut Request) -> ClientAddress {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let lines = request.headers().get_all("x-forwarded-for").iter();
    let lines = lines.map(|line| line.as_bytes());
    let client = peer.map_or(ClientAddress::Unknown, |peer| {
        client_address(peer, lines, &config.trusted_proxies)
    });
    request.extensions_mut().insert(client);
    client
}

/// The address that [`remember_client`] stored.
pub(crate) fn address_of(extensions: &Extensions) -> ClientAddress {
    extensions
        .get::<ClientAddress>()
        .copied()
        .unwrap_or(ClientAddress::Unknown)
}

/// The browser that the header `User-Agent` names.
pub(crate) fn browser_of(headers: &HeaderMap) -> Browser {
    let header = headers.get(USER_AGENT);
    let text = header.and_then(|value| value.to_str().ok());
    text.map_or_else(Browser::default, Browser::of)
}
