//! From which address a request comes: found out once, at the outermost layer, and carried along with the request.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::Response,
};
use domain::client_address::{ClientAddress, client_address};
use http::Extensions;

use crate::state::AppState;

/// Puts the [`ClientAddress`] into the request's extensions. Allowlist, audit, throttles and log lines all read it there.
pub(crate) async fn remember_client(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| peer.ip());
    let lines: Vec<&[u8]> = request
        .headers()
        .get_all("x-forwarded-for")
        .iter()
        .map(|line| line.as_bytes())
        .collect();
    let client = peer.map_or(ClientAddress::Unknown, |peer| {
        client_address(peer, lines.into_iter(), &state.config.trusted_proxies)
    });
    request.extensions_mut().insert(client);
    next.run(request).await
}

/// The address that [`remember_client`] found.
pub(crate) fn of(extensions: &Extensions) -> ClientAddress {
    extensions
        .get::<ClientAddress>()
        .copied()
        .unwrap_or(ClientAddress::Unknown)
}
